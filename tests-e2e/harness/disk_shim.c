/* Loaded before the C library (LD_PRELOAD): lets chosen file calls below one folder fail or hang, as a file shared with the test says.
 * DISK_SHIM_FOLDER: the folder, absolute. DISK_SHIM_FAULTY: where calls fail or hang instead, when that is another folder.
 * DISK_SHIM_CONTROL: the file, five int32: calls (bits), errno, milliseconds to hang,
 * how many calls are left to meet (-1: all), how many were met. Behind them, at byte 64, uint64 of what was done: for files of the folder, then
 * for all others (the database): fsync calls, their nanoseconds, fdatasync calls, their nanoseconds (with those of waits for the data before), bytes written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, WRITE = 2, FSYNC = 4, FDATASYNC = 8, RENAME = 16, MKDIR = 32, FTRUNCATE = 64, UNLINK = 128, LOOK = 256 };
enum { COUNTED = 1, FAULTY = 2 };
enum { MOST = 1 << 16 };

struct tally { _Atomic unsigned long long syncs, syncTime, dataSyncs, dataSyncTime, bytes; };
struct control { _Atomic int mask, error, stall, left, met, unused[11]; struct tally done[2]; };
_Static_assert(offsetof(struct control, done) == 64, "as the reader in disk.py has it");

static struct control *control;
struct place { char path[4096]; size_t length; };
static struct place folder, faulty;
static _Atomic char inside[MOST];

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DISK_SHIM_CONTROL"), *root = getenv("DISK_SHIM_FOLDER"), *bad = getenv("DISK_SHIM_FAULTY");
    if (!bad) bad = root;
    if (!path || !root || strlen(root) >= sizeof folder.path || strlen(bad) >= sizeof faulty.path) return;
    strcpy(folder.path, root);
    folder.length = strlen(root);
    strcpy(faulty.path, bad);
    faulty.length = strlen(bad);
    int (*really)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int descriptor = really(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (map != MAP_FAILED) control = map;
}

static int lies(const char *path, struct place *place) {
    return control && path && !strncmp(path, place->path, place->length) && (path[place->length] == '/' || !path[place->length]);
}
static int below(const char *path) { return lies(path, &faulty); }
static int is(int descriptor, int what) { return control && descriptor >= 0 && descriptor < MOST && (inside[descriptor] & what); }
static int isInside(int descriptor) { return is(descriptor, FAULTY); }

/* 0: go on; -1: fail with errno. */
static int meet(int call) {
    if (!(control->mask & call)) return 0;
    int left = control->left;
    while (left > 0 && !atomic_compare_exchange_weak(&control->left, &left, left - 1)) {}
    if (left == 0) return 0;
    control->met++;
    for (int waited = 0; waited < control->stall && (control->mask & call); waited += 10) {
        struct timespec pause = { 0, 10 * 1000 * 1000 };
        nanosleep(&pause, NULL);
    }
    if (!control->error) return 0;
    errno = control->error;
    return -1;
}

/* Whatever is not of the folder, sockets too, is counted apart. */
static struct tally *tally(int descriptor) { return control ? &control->done[!is(descriptor, COUNTED)] : NULL; }

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static ssize_t wrote(int descriptor, ssize_t count) {
    struct tally *done = tally(descriptor);
    if (done && count > 0) done->bytes += count;
    return count;
}

static int opened(int descriptor, const char *path) {
    if (descriptor >= 0 && descriptor < MOST) inside[descriptor] = (lies(path, &folder) ? COUNTED : 0) | (lies(path, &faulty) ? FAULTY : 0);
    return descriptor;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, name)

#define HOOK_OPEN(name) \
    int name(const char *path, int flags, ...) { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); } \
        REAL(int, #name, const char *, int, ...); \
        if (below(path) && meet(OPEN)) return -1; \
        return opened(real(path, flags, mode), path); \
    }
HOOK_OPEN(open)
HOOK_OPEN(open64)

#define HOOK_PWRITEV(name, offset_type) \
    ssize_t name(int descriptor, const struct iovec *pieces, int count, offset_type offset) { \
        REAL(ssize_t, #name, int, const struct iovec *, int, offset_type); \
        if (isInside(descriptor) && meet(WRITE)) return -1; \
        return wrote(descriptor, real(descriptor, pieces, count, offset)); \
    }
HOOK_PWRITEV(pwritev, off_t)
HOOK_PWRITEV(pwritev64, off64_t)

ssize_t write(int descriptor, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (isInside(descriptor) && meet(WRITE)) return -1;
    return wrote(descriptor, real(descriptor, bytes, count));
}

#define HOOK_PWRITE(name, offset_type) \
    ssize_t name(int descriptor, const void *bytes, size_t count, offset_type offset) { \
        REAL(ssize_t, #name, int, const void *, size_t, offset_type); \
        if (isInside(descriptor) && meet(WRITE)) return -1; \
        return wrote(descriptor, real(descriptor, bytes, count, offset)); \
    }
HOOK_PWRITE(pwrite, off_t)
HOOK_PWRITE(pwrite64, off64_t)

int fsync(int descriptor) {
    REAL(int, "fsync", int);
    if (isInside(descriptor) && meet(FSYNC)) return -1;
    long long begun = now();
    int result = real(descriptor);
    struct tally *done = tally(descriptor);
    if (done) { done->syncs++; done->syncTime += now() - begun; }
    return result;
}

int fdatasync(int descriptor) {
    REAL(int, "fdatasync", int);
    if (isInside(descriptor) && meet(FDATASYNC)) return -1;
    long long begun = now();
    int result = real(descriptor);
    struct tally *done = tally(descriptor);
    if (done) { done->dataSyncs++; done->dataSyncTime += now() - begun; }
    return result;
}

/* Waiting for the data (SYNC_FILE_RANGE_WAIT_AFTER) is the first half of a sync: it meets the same faults, and its time is counted as one. */
int sync_file_range(int descriptor, off64_t offset, off64_t size, unsigned flags) {
    REAL(int, "sync_file_range", int, off64_t, off64_t, unsigned);
    if (isInside(descriptor) && (flags & 4) && meet(FDATASYNC)) return -1;
    long long begun = now();
    int result = real(descriptor, offset, size, flags);
    struct tally *done = tally(descriptor);
    if (done) done->dataSyncTime += now() - begun;
    return result;
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    if (below(from) && meet(RENAME)) return -1;
    return real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    if (below(path) && meet(MKDIR)) return -1;
    return real(path, mode);
}

#define HOOK_FTRUNCATE(name, offset_type) \
    int name(int descriptor, offset_type size) { \
        REAL(int, #name, int, offset_type); \
        if (isInside(descriptor) && meet(FTRUNCATE)) return -1; \
        return real(descriptor, size); \
    }
HOOK_FTRUNCATE(ftruncate, off_t)
HOOK_FTRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    if (below(path) && meet(UNLINK)) return -1;
    return real(path);
}

int close(int descriptor) {
    REAL(int, "close", int);
    if (descriptor >= 0 && descriptor < MOST) inside[descriptor] = 0;
    return real(descriptor);
}

/* Looking: only to hang, as whoever looks does on a disk that does not answer. */
#define HOOK_LOOK(name, type) \
    int name(const char *path, type *facts) { \
        REAL(int, #name, const char *, type *); \
        if (below(path) && meet(LOOK)) return -1; \
        return real(path, facts); \
    }
HOOK_LOOK(stat, struct stat)
HOOK_LOOK(stat64, struct stat64)
HOOK_LOOK(lstat, struct stat)
HOOK_LOOK(lstat64, struct stat64)
HOOK_LOOK(statvfs, struct statvfs)
HOOK_LOOK(statvfs64, struct statvfs64)

int access(const char *path, int mode) {
    REAL(int, "access", const char *, int);
    if (below(path) && meet(LOOK)) return -1;
    return real(path, mode);
}

#define HOOK_PREAD(name, offset_type) \
    ssize_t name(int descriptor, void *bytes, size_t count, offset_type offset) { \
        REAL(ssize_t, #name, int, void *, size_t, offset_type); \
        if (isInside(descriptor) && meet(LOOK)) return -1; \
        return real(descriptor, bytes, count, offset); \
    }
HOOK_PREAD(pread, off_t)
HOOK_PREAD(pread64, off64_t)
