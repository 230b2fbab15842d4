#ifndef CWEBUI_H
#define CWEBUI_H

#include <stddef.h>

/// The archive that WebUI/build.mjs makes. `length` becomes 0 where it was not made before the program was compiled.
const unsigned char *_Nonnull cwebui_archive(size_t *_Nonnull length);

#endif
