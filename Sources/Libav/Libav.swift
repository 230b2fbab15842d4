// Libav
