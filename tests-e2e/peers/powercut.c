/* Logs every change that a program makes to files below one folder, so that a test can build the folder as a power cut would have left it
 * at any point. Loaded with LD_PRELOAD.
 *
 * POWERCUT_ROOT: the folder, absolute. POWERCUT_LOG: the log; each record is a struct record followed by its path(s) and bytes. A write is
 * logged when it was made. A sync is logged at its begin and at its end: what was written before its begin is on the disk at its end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, MKDIR, RMDIR, SYNC_FOLDER, LINK };

struct record {
    uint32_t op;
    uint32_t path_bytes;   /* of the path below the root */
    uint32_t other_bytes;  /* of a second path: where a rename or link leads */
    uint32_t data_bytes;
    uint64_t inode;
    int64_t offset;  /* of a write; the length of a truncation; the number of a sync */
    int64_t nanoseconds;
};

#define MOST_FILES 65536
static char root[4096];
static size_t root_bytes;
static int log_fd = -1;
static char known[MOST_FILES]; /* 1: a file below the root, 2: a folder */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t syncs;

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("POWERCUT_ROOT"), *log = getenv("POWERCUT_LOG");
    if (!folder || !log || strlen(folder) >= sizeof root) return;
    strcpy(root, folder);
    root_bytes = strlen(root);
    int fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    /* Out of the way of programs that count their descriptors. */
    log_fd = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 1000);
    syscall(SYS_close, fd);
}

/* The path below the root; NULL for others. */
static const char *below(const char *path) {
    if (log_fd < 0 || !path || strncmp(path, root, root_bytes) || (path[root_bytes] != '/' && path[root_bytes])) return NULL;
    return path[root_bytes] ? path + root_bytes + 1 : "";
}

static const char *absolute(int folder, const char *path, char *buffer) {
    if (path[0] == '/') return path;
    char link[64];
    ssize_t length;
    if (folder == AT_FDCWD) {
        length = getcwd(buffer, 4096) ? (ssize_t)strlen(buffer) : -1;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        length = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, 4095);
    }
    if (length < 0 || length + strlen(path) + 2 > 4096) return path;
    buffer[length] = '/';
    strcpy(buffer + length + 1, path);
    return buffer;
}

static void note(uint32_t op, uint64_t inode, int64_t offset, const char *path, const char *other, const struct iovec *data, int count, size_t bytes) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct record record = {
        .op = op, .path_bytes = path ? strlen(path) : 0, .other_bytes = other ? strlen(other) : 0, .data_bytes = bytes, .inode = inode,
        .offset = offset, .nanoseconds = now.tv_sec * 1000000000ll + now.tv_nsec,
    };
    size_t size = sizeof record + record.path_bytes + record.other_bytes + bytes;
    char *buffer = malloc(size), *at = buffer;
    if (!buffer) abort();
    at = mempcpy(at, &record, sizeof record);
    if (path) at = mempcpy(at, path, record.path_bytes);
    if (other) at = mempcpy(at, other, record.other_bytes);
    for (int i = 0; i < count && bytes; i++) {
        size_t part = data[i].iov_len < bytes ? data[i].iov_len : bytes;
        at = mempcpy(at, data[i].iov_base, part);
        bytes -= part;
    }
    for (char *from = buffer; size;) {
        ssize_t written = syscall(SYS_write, log_fd, from, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) abort();
        from += written;
        size -= written;
    }
    free(buffer);
}

static uint64_t inode_of(int fd) {
    struct stat status;
    return fstat(fd, &status) ? 0 : status.st_ino;
}

static int watched(int fd) { return log_fd >= 0 && fd >= 0 && fd < MOST_FILES && known[fd] == 1; }

static int opened(int folder, const char *path, int flags, mode_t mode) {
    char buffer[4096];
    const char *name = log_fd < 0 ? NULL : below(absolute(folder, path, buffer));
    if (!name) {
        int fd = syscall(SYS_openat, folder, path, flags, mode);
        if (fd >= 0 && fd < MOST_FILES) known[fd] = 0;
        return fd;
    }
    pthread_mutex_lock(&lock);
    struct stat before;
    int was = !fstatat(folder, path, &before, 0);
    int fd = syscall(SYS_openat, folder, path, flags, mode);
    int failure = errno;
    if (fd >= 0 && fd < MOST_FILES) {
        struct stat status;
        int ok = !fstat(fd, &status);
        known[fd] = ok && S_ISDIR(status.st_mode) ? 2 : ok && S_ISREG(status.st_mode) ? 1 : 0;
        if (known[fd] == 1 && (flags & O_CREAT) && !was) note(CREATE, status.st_ino, 0, name, NULL, NULL, 0, 0);
        if (known[fd] == 1 && (flags & O_TRUNC) && was) note(TRUNCATE, status.st_ino, 0, name, NULL, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = failure;
    return fd;
}

#define MODE                             \
    mode_t mode = 0;                     \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list list;                    \
        va_start(list, flags);           \
        mode = va_arg(list, mode_t);     \
        va_end(list);                    \
    }
int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE return opened(folder, path, flags | O_LARGEFILE, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int fd) {
    if (fd >= 0 && fd < MOST_FILES) known[fd] = 0;
    return syscall(SYS_close, fd);
}

static ssize_t wrote(int fd, const struct iovec *data, int count, int64_t offset) {
    if (!watched(fd))
        return offset < 0 ? syscall(SYS_writev, fd, data, count) : syscall(SYS_pwritev, fd, data, count, (long)offset, 0l);
    pthread_mutex_lock(&lock);
    int64_t place = offset;
    if (offset < 0) {
        struct stat status;
        int flags = syscall(SYS_fcntl, fd, F_GETFL);
        place = flags & O_APPEND && !fstat(fd, &status) ? status.st_size : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    }
    ssize_t written = offset < 0 ? syscall(SYS_writev, fd, data, count) : syscall(SYS_pwritev, fd, data, count, (long)offset, 0l);
    int failure = errno;
    if (written > 0) note(WRITE, inode_of(fd), place, NULL, NULL, data, count, written);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return written;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (!watched(fd)) return syscall(SYS_write, fd, bytes, count);
    return wrote(fd, &(struct iovec){(void *)bytes, count}, 1, -1);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return wrote(fd, &(struct iovec){(void *)bytes, count}, 1, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) { return wrote(fd, &(struct iovec){(void *)bytes, count}, 1, offset); }
ssize_t writev(int fd, const struct iovec *data, int count) { return wrote(fd, data, count, -1); }
ssize_t pwritev(int fd, const struct iovec *data, int count, off_t offset) { return wrote(fd, data, count, offset); }
ssize_t pwritev64(int fd, const struct iovec *data, int count, off64_t offset) { return wrote(fd, data, count, offset); }

static int cut(int fd, int64_t length) {
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_ftruncate, fd, length);
    int failure = errno;
    if (!result && watched(fd)) note(TRUNCATE, inode_of(fd), length, NULL, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}
int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

static int allocated(int fd, int64_t end) {
    struct stat status;
    if (watched(fd) && !fstat(fd, &status) && end <= status.st_size) {
        pthread_mutex_lock(&lock);
        note(TRUNCATE, status.st_ino, status.st_size, NULL, NULL, NULL, 0, 0);
        pthread_mutex_unlock(&lock);
    }
    return 0;
}
int posix_fallocate(int fd, off_t offset, off_t length) {
    long result = syscall(SYS_fallocate, fd, 0, offset, length);
    return result ? errno : allocated(fd, offset + length);
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

static int synced(int fd, int whole) {
    if (log_fd < 0 || fd < 0 || fd >= MOST_FILES || !known[fd]) return syscall(whole ? SYS_fsync : SYS_fdatasync, fd);
    char link[64], path[4096];
    int is_folder = known[fd] == 2;
    uint64_t inode = inode_of(fd);
    const char *name = NULL;
    if (is_folder) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
        if (length >= 0) {
            path[length] = 0;
            name = below(path);
        }
    }
    pthread_mutex_lock(&lock);
    int64_t number = ++syncs;
    note(SYNC_BEGIN, inode, number, name, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    int result = syscall(whole ? SYS_fsync : SYS_fdatasync, fd);
    int failure = errno;
    pthread_mutex_lock(&lock);
    if (!result) note(is_folder ? SYNC_FOLDER : SYNC_END, inode, number, name, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}
int fsync(int fd) { return synced(fd, 1); }
int fdatasync(int fd) { return synced(fd, 0); }

/* Changes of names, one at a time. */
static int renamed(int from_folder, const char *from, int to_folder, const char *to, unsigned flags, int is_link) {
    char first[4096], second[4096];
    pthread_mutex_lock(&lock);
    const char *old = log_fd < 0 ? NULL : below(absolute(from_folder, from, first));
    const char *new = log_fd < 0 ? NULL : below(absolute(to_folder, to, second));
    int result = is_link ? syscall(SYS_linkat, from_folder, from, to_folder, to, flags)
                         : syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    int failure = errno;
    if (!result && old && new) note(is_link ? LINK : RENAME, 0, 0, old, new, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0, 0); }
int renameat(int a, const char *from, int b, const char *to) { return renamed(a, from, b, to, 0, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return renamed(a, from, b, to, flags, 0); }
int link(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0, 1); }
int linkat(int a, const char *from, int b, const char *to, int flags) { return renamed(a, from, b, to, flags, 1); }

static int removed(int folder, const char *path, int flags) {
    char buffer[4096];
    pthread_mutex_lock(&lock);
    const char *name = log_fd < 0 ? NULL : below(absolute(folder, path, buffer));
    int result = syscall(SYS_unlinkat, folder, path, flags);
    int failure = errno;
    if (!result && name) note(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, name, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return removed(folder, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }

static int made(int folder, const char *path, mode_t mode) {
    char buffer[4096];
    pthread_mutex_lock(&lock);
    const char *name = log_fd < 0 ? NULL : below(absolute(folder, path, buffer));
    int result = syscall(SYS_mkdirat, folder, path, mode);
    int failure = errno;
    if (!result && name) note(MKDIR, 0, 0, name, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}
int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return made(folder, path, mode); }
