// NVRMedia turns what a camera sends into packets on one repaired timeline and hands them to whoever asked: the only target
// that imports Libav. Nothing here knows about files on disk, rows or HTTP.
