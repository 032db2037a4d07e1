/* Finds, in a compressed CloudTrail file, the records that may have changed something: some nine of ten are reads, and
 * need neither memory nor Python.  Files may be hostile: every read is checked, and whatever is not exactly what
 * CloudTrail writes is left to tfdrift_core/records/scan.py, which tells what is wrong with it. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef TFD_LIBDEFLATE
#include <libdeflate.h>
#else
#define ZLIB_CONST
#include <zlib.h>
#endif

#include "generated.h"
#include "sift.h"

#if defined(__SSE2__) && !defined(TFD_PORTABLE)
#include <emmintrin.h>
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the first of eight bytes is taken for the lowest"
#endif

enum {
    BLOCK = 64,
    LOOK = 16, /* behind a block: enough for a key that begins at its end */
    MAX_DEPTH = 60,
    KEPT = 4 << 20, /* a larger buffer is not kept for the next file */
};

typedef struct {
    uint8_t *bytes;
    size_t size;
    size_t room;
} tfd_buffer;

/* A record that may have changed something: its place in `found`, its number in the document, and the texts of its
 * eventName and eventSource in it. */
typedef struct {
    uint32_t begin, size, number, name, name_size, source, source_size;
} tfd_row;

struct tfd_sifter {
#ifdef TFD_LIBDEFLATE
    struct libdeflate_decompressor *inflater;
#else
    z_stream inflater;
#endif
    tfd_buffer document; /* decompressed, and space behind it */
    tfd_buffer found;
    tfd_buffer rows;
    size_t edge;       /* where the record begins, or between records where the last one ended */
    uint64_t in_text;  /* all ones within a text */
    uint64_t escaping; /* 1 behind a backslash that escapes what follows */
    uint64_t bounded;  /* 1 behind what may stand beside a text */
    uint64_t closed;   /* 1 behind a text */
    uint64_t braces;   /* a bit for each open bracket of the record: whether it is a brace */
    unsigned depth;    /* of the record's brackets, 0 between records */
    size_t read_only, name, source; /* where the record's keys are; 0 for none */
    uint64_t read;
    bool ended; /* the list of records */
};

/* Which bytes of a block are quotes, backslashes, brackets of either kind, and whatever may stand beside a text. */
typedef struct {
    uint64_t quote, slash, open, close, bound;
} tfd_marks;

static bool reserve(tfd_buffer *buffer, size_t more) {
    if (buffer->room - buffer->size >= more)
        return true;
    size_t room = 2 * (buffer->size + more);
    uint8_t *bytes = realloc(buffer->bytes, room);
    if (bytes == NULL)
        return false;
    buffer->bytes = bytes;
    buffer->room = room;
    return true;
}

static bool append(tfd_buffer *buffer, const void *data, size_t size) {
    if (!reserve(buffer, size))
        return false;
    memcpy(buffer->bytes + buffer->size, data, size);
    buffer->size += size;
    return true;
}

static void empty(tfd_buffer *buffer) {
    buffer->size = 0;
    if (buffer->room > KEPT) {
        free(buffer->bytes);
        *buffer = (tfd_buffer){NULL, 0, 0};
    }
}

/* `{` and `[`, `}` and `]` differ in one bit. */
enum { BRACKET_BIT = 0x20 };

#if defined(__SSE2__) && !defined(TFD_PORTABLE)

static __m128i equal(__m128i bytes, char wanted) {
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(wanted));
}

static uint64_t bits(__m128i found, int place) {
    return (uint64_t)(unsigned)_mm_movemask_epi8(found) << place;
}

static tfd_marks marks_of(const uint8_t *block) {
    tfd_marks marks = {0, 0, 0, 0, 0};
    for (int place = 0; place < BLOCK; place += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + place));
        __m128i brackets = _mm_or_si128(bytes, _mm_set1_epi8(BRACKET_BIT));
        __m128i space = equal(_mm_max_epu8(bytes, _mm_set1_epi8(' ')), ' ');
        marks.quote |= bits(equal(bytes, '"'), place);
        marks.slash |= bits(equal(bytes, '\\'), place);
        marks.open |= bits(equal(brackets, '{'), place);
        marks.close |= bits(equal(brackets, '}'), place);
        marks.bound |= bits(_mm_or_si128(space, _mm_or_si128(equal(bytes, ','), equal(bytes, ':'))), place);
    }
    marks.bound |= marks.open | marks.close;
    return marks;
}

#else

static const uint64_t EACH = 0x0101010101010101U, LOW = 0x7f7f7f7f7f7f7f7fU;

/* A bit for each of eight bytes, from the highest of each. */
static uint64_t bits(uint64_t found, int place) {
    return (((found >> 7 & EACH) * 0x0102040810204080U) >> 56) << place;
}

static uint64_t equal(uint64_t bytes, char wanted) {
    uint64_t other = bytes ^ ((uint64_t)(unsigned char)wanted * EACH);
    return ~(((other & LOW) + LOW) | other);
}

static uint64_t space_of(uint64_t bytes) {
    return ~(((bytes & LOW) + (0x7f - ' ') * EACH) | bytes);
}

static tfd_marks marks_of(const uint8_t *block) {
    tfd_marks marks = {0, 0, 0, 0, 0};
    for (int place = 0; place < BLOCK; place += 8) {
        uint64_t bytes;
        memcpy(&bytes, block + place, sizeof bytes);
        uint64_t brackets = bytes | BRACKET_BIT * EACH;
        marks.quote |= bits(equal(bytes, '"'), place);
        marks.slash |= bits(equal(bytes, '\\'), place);
        marks.open |= bits(equal(brackets, '{'), place);
        marks.close |= bits(equal(brackets, '}'), place);
        marks.bound |= bits(space_of(bytes) | equal(bytes, ',') | equal(bytes, ':'), place);
    }
    marks.bound |= marks.open | marks.close;
    return marks;
}

#endif

/* Which bytes of a block are escaped, given its backslashes. */
static uint64_t escaped(uint64_t slash, uint64_t *escaping) {
    uint64_t found = *escaping;
    *escaping = 0;
    slash &= ~found;
    while (slash != 0) {
        uint64_t first = slash & (~slash + 1), next = first << 1;
        if (next == 0)
            *escaping = 1;
        found |= next;
        slash &= ~(first | next);
    }
    return found;
}

/* For each bit, whether the number of set ones up to it is odd. */
static uint64_t odd(uint64_t bits) {
    for (int step = 1; step < BLOCK; step *= 2)
        bits ^= bits << step;
    return bits;
}

static bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static size_t behind_space(const tfdrift_sifter *sifter, size_t at, size_t end) {
    while (at < end && is_space(sifter->document.bytes[at]))
        at++;
    return at;
}

/* Whether there is nothing but space from `edge` to `end`, and `times` the byte `wanted`. */
static bool only(const tfdrift_sifter *sifter, size_t end, uint8_t wanted, unsigned times) {
    unsigned seen = 0;
    for (size_t at = sifter->edge; at < end; at++) {
        if (sifter->document.bytes[at] == wanted)
            seen++;
        else if (!is_space(sifter->document.bytes[at]))
            return false;
    }
    return seen == times;
}

/* Where the value of a key begins; `end` if there is none. */
static size_t value_of(const tfdrift_sifter *sifter, size_t key, size_t key_size, size_t end) {
    size_t at = behind_space(sifter, key + key_size, end);
    return at < end && sifter->document.bytes[at] == ':' ? behind_space(sifter, at + 1, end) : end;
}

static bool is_read(const tfdrift_sifter *sifter, size_t end) {
    if (sifter->read_only == 0)
        return false;
    size_t value = value_of(sifter, sifter->read_only, sizeof "\"readOnly\"" - 1, end);
    return end - value > 4 && memcmp(sifter->document.bytes + value, "true", 4) == 0 &&
           (sifter->document.bytes[value + 4] == ',' || sifter->document.bytes[value + 4] == '}' ||
            is_space(sifter->document.bytes[value + 4]));
}

/* Place and size, counted from the record's beginning, of the text that a key has; false if it is none, or not plain. */
static bool text_of(const tfdrift_sifter *sifter, size_t key, size_t key_size, size_t end, uint32_t *begin, uint32_t *size) {
    const uint8_t *bytes = sifter->document.bytes;
    size_t value = value_of(sifter, key, key_size, end);
    if (value >= end || bytes[value] != '"')
        return false;
    const uint8_t *text = bytes + value + 1, *close = memchr(text, '"', end - value - 1);
    if (close == NULL || memchr(text, '\\', (size_t)(close - text)) != NULL)
        return false;
    *begin = (uint32_t)(value + 1 - sifter->edge);
    *size = (uint32_t)(close - text);
    return true;
}

/* The record ends: keeps it unless it is a read.  False for one without a plain name: an envelope, or nothing we know. */
static bool finish_record(tfdrift_sifter *sifter, size_t end) {
    sifter->read++;
    if (is_read(sifter, end))
        return true;
    if (end - sifter->edge > TFD_MAX_RECORD)
        return false;
    tfd_row row = {(uint32_t)sifter->found.size, (uint32_t)(end - sifter->edge), (uint32_t)sifter->read, 0, 0, 0, 0};
    if (sifter->name == 0 ||
        !text_of(sifter, sifter->name, sizeof "\"eventName\"" - 1, end, &row.name, &row.name_size) ||
        (sifter->source != 0 &&
         !text_of(sifter, sifter->source, sizeof "\"eventSource\"" - 1, end, &row.source, &row.source_size)))
        return false;
    return append(&sifter->found, sifter->document.bytes + sifter->edge, row.size) &&
           append(&sifter->rows, &row, sizeof row);
}

/* Whether a text is a key, by what is before it. */
static bool is_key(const tfdrift_sifter *sifter, size_t place) {
    do
        place--;
    while (place > sifter->edge && is_space(sifter->document.bytes[place]));
    return sifter->document.bytes[place] != ':';
}

/* A text of the record itself; false for the second of a key, of which nobody can say which one counts. */
static bool see_text(tfdrift_sifter *sifter, size_t place) {
    const uint8_t *text = sifter->document.bytes + place;
    size_t *key = NULL;
    if (memcmp(text, "\"readOnly\"", sizeof "\"readOnly\"" - 1) == 0)
        key = &sifter->read_only;
    else if (memcmp(text, "\"eventName\"", sizeof "\"eventName\"" - 1) == 0)
        key = &sifter->name;
    else if (memcmp(text, "\"eventSource\"", sizeof "\"eventSource\"" - 1) == 0)
        key = &sifter->source;
    if (key == NULL || !is_key(sifter, place))
        return true;
    bool first = *key == 0;
    *key = place;
    return first;
}

static bool see_open(tfdrift_sifter *sifter, size_t place) {
    bool brace = sifter->document.bytes[place] == '{';
    if (sifter->depth == 0) {
        if (!brace || !only(sifter, place, ',', sifter->read > 0))
            return false;
        sifter->edge = place;
        sifter->read_only = sifter->name = sifter->source = 0;
    }
    sifter->braces = sifter->braces << 1 | brace;
    return ++sifter->depth <= MAX_DEPTH;
}

static bool see_close(tfdrift_sifter *sifter, size_t place) {
    bool brace = sifter->document.bytes[place] == '}';
    if (sifter->depth == 0) {
        sifter->ended = !brace && only(sifter, place, ',', 0);
        sifter->edge = place + 1;
        return sifter->ended;
    }
    if ((sifter->braces & 1) != brace)
        return false;
    sifter->braces >>= 1;
    if (--sifter->depth > 0)
        return true;
    bool good = finish_record(sifter, place + 1);
    sifter->edge = place + 1;
    return good;
}

/* Whether every text of a block stands alone: in a damaged document they would begin where they end. */
static bool texts_stand_alone(tfdrift_sifter *sifter, uint64_t opening, uint64_t closing, uint64_t bound) {
    uint64_t behind_bound = bound << 1 | sifter->bounded, behind_text = closing << 1 | sifter->closed;
    sifter->bounded = bound >> (BLOCK - 1);
    sifter->closed = closing >> (BLOCK - 1);
    return (opening & ~behind_bound) == 0 && (behind_text & ~bound) == 0;
}

static bool see_blocks(tfdrift_sifter *sifter) {
    for (size_t at = sifter->edge; at < sifter->document.size && !sifter->ended; at += BLOCK) {
        tfd_marks marks = marks_of(sifter->document.bytes + at);
        uint64_t quote = marks.quote;
        if ((marks.slash | sifter->escaping) != 0)
            quote &= ~escaped(marks.slash, &sifter->escaping);
        uint64_t in_text = odd(quote) ^ sifter->in_text, opening = quote & in_text;
        sifter->in_text = 0 - (in_text >> 63);
        if (!texts_stand_alone(sifter, opening, quote & ~in_text, marks.bound))
            return false;
        uint64_t open = marks.open & ~in_text, close = marks.close & ~in_text;
        for (uint64_t left = open | close | opening; left != 0 && !sifter->ended; left &= left - 1) {
            uint64_t bit = left & (~left + 1);
            size_t place = at + (size_t)__builtin_ctzll(left);
            bool good = true;
            if ((bit & open) != 0)
                good = see_open(sifter, place);
            else if ((bit & close) != 0)
                good = see_close(sifter, place);
            else if (sifter->depth == 1)
                good = see_text(sifter, place);
            if (!good)
                return false;
        }
    }
    return true;
}

/* The document's beginning, up to its list of records. */
static bool see_head(tfdrift_sifter *sifter) {
    static const char *const parts[] = {"{", "\"Records\"", ":", "["};
    size_t at = 0, end = sifter->document.size;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t size = strlen(parts[i]);
        at = behind_space(sifter, at, end);
        if (end - at < size || memcmp(sifter->document.bytes + at, parts[i], size) != 0)
            return false;
        at += size;
    }
    sifter->edge = at;
    return true;
}

#ifdef TFD_LIBDEFLATE

static bool open_inflater(tfdrift_sifter *sifter) {
    return (sifter->inflater = libdeflate_alloc_decompressor()) != NULL;
}

static void close_inflater(tfdrift_sifter *sifter) {
    libdeflate_free_decompressor(sifter->inflater);
}

/* Whether all that is packed is one gzip member of so many bytes, which are then at `bytes`. */
static bool inflate_all(tfdrift_sifter *sifter, const char *packed, size_t packed_size, uint8_t *bytes, size_t size) {
    size_t taken, given;
    return libdeflate_gzip_decompress_ex(sifter->inflater, packed, packed_size, bytes, size, &taken, &given) ==
               LIBDEFLATE_SUCCESS &&
           taken == packed_size && given == size;
}

#else

static bool open_inflater(tfdrift_sifter *sifter) {
    return inflateInit2(&sifter->inflater, 16 + MAX_WBITS) == Z_OK;
}

static void close_inflater(tfdrift_sifter *sifter) {
    inflateEnd(&sifter->inflater);
}

static bool inflate_all(tfdrift_sifter *sifter, const char *packed, size_t packed_size, uint8_t *bytes, size_t size) {
    z_stream *stream = &sifter->inflater;
    if (packed_size > TFD_MAX_DOCUMENT || inflateReset(stream) != Z_OK)
        return false;
    stream->next_in = (const Bytef *)packed;
    stream->avail_in = (uInt)packed_size;
    stream->next_out = bytes;
    stream->avail_out = (uInt)size;
    return inflate(stream, Z_FINISH) == Z_STREAM_END && stream->avail_in == 0 && stream->avail_out == 0;
}

#endif

/* A gzip member ends with its size (RFC 1952, 2.3.1): the document comes in one piece. */
static bool unpack(tfdrift_sifter *sifter, const char *packed, size_t packed_size) {
    uint32_t size;
    if (packed_size < sizeof size)
        return false;
    memcpy(&size, packed + packed_size - sizeof size, sizeof size);
    tfd_buffer *document = &sifter->document;
    if (size > TFD_MAX_DOCUMENT || !reserve(document, size + BLOCK + LOOK) ||
        !inflate_all(sifter, packed, packed_size, document->bytes, size))
        return false;
    document->size = size;
    memset(document->bytes + size, ' ', BLOCK + LOOK);
    return true;
}

tfdrift_sifter *tfdrift_sifter_new(void) {
    tfdrift_sifter *sifter = calloc(1, sizeof *sifter);
    if (sifter == NULL || open_inflater(sifter))
        return sifter;
    free(sifter);
    return NULL;
}

void tfdrift_sifter_free(tfdrift_sifter *sifter) {
    if (sifter == NULL)
        return;
    close_inflater(sifter);
    free(sifter->document.bytes);
    free(sifter->found.bytes);
    free(sifter->rows.bytes);
    free(sifter);
}

static void begin(tfdrift_sifter *sifter) {
    empty(&sifter->document);
    empty(&sifter->found);
    empty(&sifter->rows);
    sifter->in_text = sifter->escaping = sifter->closed = sifter->braces = sifter->read = 0;
    sifter->bounded = 1;
    sifter->depth = 0;
    sifter->read_only = sifter->name = sifter->source = 0;
    sifter->ended = false;
}

static bool see_all(tfdrift_sifter *sifter) {
    return see_head(sifter) && see_blocks(sifter) && sifter->ended && only(sifter, sifter->document.size, '}', 1);
}

size_t tfdrift_sift(tfdrift_sifter *sifter, const char *packed, size_t size, const char **found) {
    if (sifter == NULL)
        return 0;
    begin(sifter);
    if (!unpack(sifter, packed, size) || !see_all(sifter))
        return 0;
    const uint64_t tail[] = {sifter->read, sifter->rows.size / sizeof(tfd_row)};
    if ((tail[1] > 0 && !append(&sifter->found, sifter->rows.bytes, sifter->rows.size)) ||
        !append(&sifter->found, tail, sizeof tail))
        return 0;
    *found = (const char *)sifter->found.bytes;
    return sifter->found.size;
}

int tfdrift_sift_record(tfdrift_sifter *sifter, const char *record, size_t size) {
    static const char head[] = "{\"Records\":[", tail[] = "]}";
    if (sifter == NULL || size > TFD_MAX_RECORD)
        return TFD_UNCLEAR;
    begin(sifter);
    tfd_buffer *document = &sifter->document;
    if (!append(document, head, sizeof head - 1) || !append(document, record, size) ||
        !append(document, tail, sizeof tail - 1) || !reserve(document, BLOCK + LOOK))
        return TFD_UNCLEAR;
    memset(document->bytes + document->size, ' ', BLOCK + LOOK);
    if (!see_all(sifter) || sifter->read != 1)
        return TFD_UNCLEAR;
    return sifter->rows.size > 0 ? TFD_CHANGE : TFD_READ;
}
