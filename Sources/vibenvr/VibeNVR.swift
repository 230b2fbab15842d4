import ArgumentParser

@main struct VibeNVR: AsyncParsableCommand {}
