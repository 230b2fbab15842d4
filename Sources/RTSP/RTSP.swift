// RTSP is a generic RTSP 1.0 client on SwiftNIO: sessions, descriptions, sign-in, RTP, RTCP and depacketizers. It knows nothing
// about recorders, files or rows.
