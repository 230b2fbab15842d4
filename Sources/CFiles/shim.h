#pragma once
#include <sys/types.h>
#include <sys/vfs.h>

/* Of <fcntl.h>, which shows it to programs of GNU extensions only; fallocate(2). */
extern int fallocate(int descriptor, int mode, off_t offset, off_t length);

/* FALLOC_FL_KEEP_SIZE of <linux/falloc.h>: space behind the end of the file, which stays where it is. */
static inline int cfiles_reserve(int descriptor, off_t offset, off_t length) { return fallocate(descriptor, 1, offset, length); }

/* Whether a file lies on ext2, ext3 or ext4 (EXT4_SUPER_MAGIC of <linux/magic.h>). */
static inline int cfiles_is_ext4(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 && status.f_type == 0xEF53;
}
