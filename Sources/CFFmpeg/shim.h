// What Swift cannot see of libav: macros and variadic functions, as plain constants and inline functions.
#pragma once
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/aes.h>
#include <libavutil/avutil.h>
#include <libavutil/channel_layout.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libavutil/time.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

static const int cffmpeg_error_eof = AVERROR_EOF;
static const int cffmpeg_error_exit = AVERROR_EXIT;
static const int cffmpeg_error_again = AVERROR(EAGAIN);
static const int cffmpeg_error_io = AVERROR(EIO);
static const int cffmpeg_error_not_supported = AVERROR(ENOSYS);
static const int cffmpeg_error_timed_out = AVERROR(ETIMEDOUT);
static const int cffmpeg_error_no_memory = AVERROR(ENOMEM);
static const int cffmpeg_error_invalid_input = AVERROR_INVALIDDATA;
static const int cffmpeg_error_invalid_argument = AVERROR(EINVAL);
static const int cffmpeg_error_connection_refused = AVERROR(ECONNREFUSED);
static const int cffmpeg_error_not_found = AVERROR(ENOENT);
static const int cffmpeg_error_decoder_not_found = AVERROR_DECODER_NOT_FOUND;
static const int cffmpeg_error_encoder_not_found = AVERROR_ENCODER_NOT_FOUND;
static const int cffmpeg_error_stream_not_found = AVERROR_STREAM_NOT_FOUND;
static const int cffmpeg_error_protocol_not_found = AVERROR_PROTOCOL_NOT_FOUND;
static const int cffmpeg_error_http_bad_request = AVERROR_HTTP_BAD_REQUEST;
static const int cffmpeg_error_http_unauthorized = AVERROR_HTTP_UNAUTHORIZED;
static const int cffmpeg_error_http_forbidden = AVERROR_HTTP_FORBIDDEN;
static const int cffmpeg_error_http_not_found = AVERROR_HTTP_NOT_FOUND;
static const int cffmpeg_error_http_other_4xx = AVERROR_HTTP_OTHER_4XX;
static const int cffmpeg_error_http_server_error = AVERROR_HTTP_SERVER_ERROR;
