#pragma once
#include <sys/types.h>
#include <sys/vfs.h>

/* Of <fcntl.h>, which shows it to programs of GNU extensions only; fallocate(2). */
extern int fallocate(int descriptor, int mode, off_t offset, off_t length);

/* FALLOC_FL_KEEP_SIZE of <linux/falloc.h>: space behind the end of the file, which stays where it is. */
static inline int cfiles_reserve(int descriptor, off_t offset, off_t length) { return fallocate(descriptor, 1, offset, length); }

/* Likewise; sync_file_range(2). */
extern int sync_file_range(int descriptor, off_t offset, off_t length, unsigned flags);

/* SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE and _WAIT_AFTER of <linux/fs.h>: waits for the contents, not for what the file system notes of them. */
static inline int cfiles_write_out(int descriptor, off_t offset) { return sync_file_range(descriptor, offset, 0, 7); }

/* Whether a file lies on ext2, ext3 or ext4 (EXT4_SUPER_MAGIC of <linux/magic.h>). */
static inline int cfiles_is_ext4(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 && status.f_type == 0xEF53;
}
