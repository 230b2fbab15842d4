import Testing
@testable import RTSP
@Suite struct EndpointTests {}
