#include "wordpiece.h"

#include "../kernels/secret.h"

#include <string.h>
#include <utf8proc.h>

enum { WORD_BYTES = 4 * PQ_WORD_CHARACTERS };

/* Tokens so far, with room left for [SEP]. */
struct output { const struct pq_vocabulary *v; uint32_t *token; size_t count, max; bool cut; };

/* The word in progress, in UTF-8 behind two bytes for ##. at[i]: where character i starts; what exceeds 100 characters
 * is counted, not kept. */
struct word { char text[2 + WORD_BYTES]; size_t at[PQ_WORD_CHARACTERS + 1], characters; };

static void put(struct output *out, uint32_t token)
{
    if (out->count < out->max)
        out->token[out->count++] = token;
    else
        out->cut = true;
}

/* ---- what characters are ---- */

static bool is_removed(utf8proc_int32_t c)
{
    const utf8proc_category_t k = utf8proc_category(c);
    if (c == '\t' || c == '\n' || c == '\r')
        return false;
    return c == 0 || c == 0xfffd || k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF
        || k == UTF8PROC_CATEGORY_CO || k == UTF8PROC_CATEGORY_CS;
}

static bool is_space(utf8proc_int32_t c)
{
    const utf8proc_category_t k = utf8proc_category(c);
    return c == '\t' || c == '\n' || c == '\r' || k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL
        || k == UTF8PROC_CATEGORY_ZP;
}

/* Ideographs, each a word of its own; not Kana and Hangul. The block that should start at 2B820 starts at 2B920 in the
 * reference. */
static bool is_ideograph(utf8proc_int32_t c)
{
    static const struct { utf8proc_int32_t first, last; } block[] = {
        { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },   { 0xf900, 0xfaff },   { 0x20000, 0x2a6df },
        { 0x2a700, 0x2b73f }, { 0x2b740, 0x2b81f }, { 0x2b920, 0x2ceaf }, { 0x2f800, 0x2fa1f },
    };
    for (size_t i = 0; i < sizeof block / sizeof *block; i++)
        if (c >= block[i].first && c <= block[i].last)
            return true;
    return false;
}

static bool is_punctuation(utf8proc_int32_t c)
{
    const utf8proc_category_t k = utf8proc_category(c);
    if (c < 128)
        return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

/* ---- words ---- */

/* Longest match from the left. The bytes before a later piece are overwritten with ##: they are matched already. */
static void end_word(struct output *out, struct word *w)
{
    uint32_t piece[PQ_WORD_CHARACTERS];
    size_t pieces = 0, start = 0;
    const size_t end = w->characters;
    if (end > PQ_WORD_CHARACTERS)
        start = end + 1; /* as after a piece that was not found */
    while (start < end) {
        char *text = w->text + 2 + w->at[start];
        size_t prefix = 0, last = end;
        uint32_t id = PQ_NO_TOKEN;
        if (start > 0) {
            prefix = 2;
            memcpy(text - 2, "##", 2);
        }
        for (; last > start && id == PQ_NO_TOKEN; last -= id == PQ_NO_TOKEN)
            id = pq_vocabulary_find(out->v, text - prefix, prefix + w->at[last] - w->at[start]);
        if (id == PQ_NO_TOKEN) {
            start = end + 1;
            break;
        }
        piece[pieces++] = id;
        start = last;
    }
    if (start > end)
        put(out, pq_vocabulary_special(out->v, PQ_UNK));
    else
        for (size_t i = 0; i < pieces; i++)
            put(out, piece[i]);
    w->characters = 0;
}

static void add_to_word(struct word *w, utf8proc_int32_t c)
{
    if (w->characters < PQ_WORD_CHARACTERS) {
        const size_t at = w->at[w->characters];
        w->at[w->characters + 1] = at + (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)w->text + 2 + at);
    }
    w->characters++;
}

/* ---- texts ---- */

/* Step 2: cleaned text in `to`, of 5/3 the bytes at most (an ideograph has three). Returns its bytes. */
static size_t clean(const char *text, size_t bytes, utf8proc_uint8_t *to)
{
    size_t n = 0;
    utf8proc_int32_t c;
    for (size_t i = 0; i < bytes;) {
        i += (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(bytes - i), &c);
        if (is_removed(c))
            continue;
        const bool alone = is_ideograph(c);
        if (alone)
            to[n++] = ' ';
        n += (size_t)utf8proc_encode_char(is_space(c) ? ' ' : c, to + n);
        if (alone)
            to[n++] = ' ';
    }
    return n;
}

/* Steps 2 to 5 of a text without special tokens. */
static void encode_plain(struct output *out, const char *text, size_t bytes, struct word *w)
{
    utf8proc_uint8_t *cleaned = pq_alloc(2 * bytes + 1);
    const utf8proc_ssize_t length = (utf8proc_ssize_t)clean(text, bytes, cleaned);
    const utf8proc_ssize_t room = utf8proc_decompose(cleaned, length, NULL, 0, UTF8PROC_DECOMPOSE);
    PQ_ASSERT(room >= 0); /* it is UTF-8, and characters grow to four at most */
    utf8proc_int32_t *decomposed = pq_alloc((size_t)room * sizeof *decomposed);
    PQ_ASSERT(utf8proc_decompose(cleaned, length, decomposed, room, UTF8PROC_DECOMPOSE) == room);
    for (utf8proc_ssize_t i = 0; i < room && !out->cut; i++) {
        const utf8proc_int32_t c = utf8proc_tolower(decomposed[i]);
        if (utf8proc_category(decomposed[i]) == UTF8PROC_CATEGORY_MN)
            continue;
        const bool space = is_space(c), alone = is_punctuation(c);
        if ((space || alone) && w->characters > 0)
            end_word(out, w);
        if (!space)
            add_to_word(w, c);
        if (alone)
            end_word(out, w);
    }
    if (w->characters > 0)
        end_word(out, w);
    pq_free_secret(decomposed, (size_t)room * sizeof *decomposed);
    pq_free_secret(cleaned, 2 * bytes + 1);
}

/* The special token whose name starts the text, or PQ_SPECIALS. */
static int special_at(const struct pq_vocabulary *v, const char *text, size_t bytes)
{
    int s = 0;
    for (; s < PQ_SPECIALS; s++) {
        const size_t length = strlen(pq_special_name[s]);
        if (pq_vocabulary_special(v, (enum pq_special)s) != PQ_NO_TOKEN && bytes >= length
            && !memcmp(text, pq_special_name[s], length))
            break;
    }
    return s;
}

enum pq_status pq_wordpiece_encode(const struct pq_vocabulary *v, const char *text, size_t bytes, const char *source,
                                   uint32_t *token, size_t max, size_t *count, bool *cut, struct pq_error *err)
{
    size_t offset, done = 0;
    PQ_ASSERT(max >= 2);
    if (!pq_utf8_valid(text, bytes, &offset))
        return pq_fail(err, PQ_USER, "%s: byte %zu is not UTF-8; give text in UTF-8", source, offset);
    struct output out = { .v = v, .token = token, .max = max - 1 };
    struct word *w = pq_alloc(sizeof *w);
    w->at[0] = w->characters = 0;
    put(&out, pq_vocabulary_special(v, PQ_CLS));
    for (size_t i = 0; i < bytes; i++) {
        const int s = text[i] == '[' ? special_at(v, text + i, bytes - i) : PQ_SPECIALS;
        if (s == PQ_SPECIALS)
            continue;
        encode_plain(&out, text + done, i - done, w);
        put(&out, pq_vocabulary_special(v, (enum pq_special)s));
        done = i + strlen(pq_special_name[s]);
        i = done - 1;
    }
    encode_plain(&out, text + done, bytes - done, w);
    pq_free_secret(w, sizeof *w);
    token[out.count] = pq_vocabulary_special(v, PQ_SEP);
    *count = out.count + 1;
    *cut = out.cut;
    return PQ_OK;
}
