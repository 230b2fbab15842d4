#include "CWebUI.h"

// The compiler copies the file as it is: an array of numbers in Swift would take minutes to compile.
#pragma clang diagnostic ignored "-Wc23-extensions"

#if __has_embed("../../WebUI/dist/webui.bin")
static const unsigned char archive[] = {
#embed "../../WebUI/dist/webui.bin"
};
static const size_t archive_length = sizeof archive;
#else
static const unsigned char archive[] = {0};
static const size_t archive_length = 0;
#endif

const unsigned char *cwebui_archive(size_t *length) {
    *length = archive_length;
    return archive;
}
