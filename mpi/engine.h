/* The table of operations over which the encoder is written once (protocols.md section 6), and the handles they pass.
 * Engines: plain and replay compute on clear values, cost adds up, dealer is P0's offline phase, party is P1 and P2
 * online (and P0 in `published`). Every engine performs the same operations in the same order; `op` counts them and
 * addresses randomness.
 *
 * Each kind of value has its own type, so a share cannot be passed where a public value is meant. In memory an element
 * of Z_2^b takes pq_ring_bytes(b) bytes. A pointer is NULL in an engine that does not know that part:
 *
 *            pq_rss                     pq_add                      pq_opened             pq_lifted
 *   plain    clear                      clear                       clear                 clear
 *   replay   clear, x0, x1, x2          clear, share (P1's)         clear, delta, offset  clear, and all the rest
 *   dealer   x0, x1                     -                           offset                offset, flip
 *   P1       x1, x2                     share                       delta                 delta, rho
 *   P2       x2, x0                     share                       delta                 delta, rho
 *   P0 onl.  x0, x1 (published)         -                           -                     -
 *   cost     -                          -                           -                     -
 *
 * clear arrays are int32_t signed values (codes, accumulators in [-2^15, 2^15), ...; unsigned where the operation says
 * so). In replay every other array is uint32_t, whatever the ring. RSS values, residuals and what a table says it keeps
 * stay valid until the end of the next layer, everything else until the end of the next part (`begin`): the engines
 * that run the protocol use its memory again soon, so that it stays in the cache (context.h). */
#ifndef PQ_ENGINE_H
#define PQ_ENGINE_H

#include "plan.h"
#include "../model_io/model.h"

/* Where time and bytes are booked: the names in /ops. */
enum pq_operation {
    PQ_OP_SETUP, PQ_OP_INPUT, PQ_OP_QKV, PQ_OP_SCORES, PQ_OP_SOFTMAX, PQ_OP_CONTEXT, PQ_OP_ATTENTION_OUT,
    PQ_OP_LAYERNORM, PQ_OP_FFN1, PQ_OP_GELU, PQ_OP_FFN2, PQ_OP_POOLER, PQ_OP_CLASSIFIER, PQ_OP_OUTPUT, PQ_OPERATIONS
};
extern const char *const pq_operation_name[PQ_OPERATIONS];

/* RSS share of codes or probabilities in Z_2^16, x = x0 + x1 + x2. Its masks x0 and x1 were drawn by operation `op`;
 * x0_zero: x0 is 0 (the embedding, which P1 shares). */
struct pq_rss { struct pq_dim dim; int32_t *clear; void *x0, *x1, *x2; uint32_t op; bool x0_zero; };
/* Additive share between P1 and P2 in Z_2^bits. */
struct pq_add { struct pq_dim dim; unsigned bits; int32_t *clear; void *share; };
/* Opened between P1 and P2 under an offset that P0 knows: delta = x - offset mod 2^bits. */
struct pq_opened { struct pq_dim dim; unsigned bits; int32_t *clear; void *delta, *offset; };
/* A signed b-bit value as an exact integer, h = delta + c0 + rho*c1, delta and rho public, c0 and c1 known to P0
 * (protocols.md section 3, pure lift; here without ever opening h in the large ring). sum_delta and sum_offset are the
 * opening of H = sum of h over channels, per token of this rank's token block, filled in by `variance`. */
struct pq_lifted {
    struct pq_dim dim;
    int32_t *clear;
    uint8_t *delta, *rho, *offset, *flip;
    uint32_t *c0, *c1;               /* party: share; dealer: the numbers; replay: P1's share */
    uint32_t *sum_delta, *sum_offset;
};

/* A table T from Z_2^index_bits (times Z_2^index2_bits) to one or two rings. content[o] is NULL where the model is not
 * known; else entries of content_bytes[o] (1: int8_t, 2: uint16_t, 4: uint32_t),
 * [channels][2^(index_bits+index2_bits)], reduced mod 2^out_bits[o]. */
struct pq_table {
    unsigned index_bits, index2_bits, outputs, out_bits[2], content_bytes[2];
    const void *content[2];
    size_t channels;
    bool keeps[2]; /* the output is needed after the next part of the encoder */
};

struct pq_engine;

struct pq_ops {
    /* Books what follows under this operation. */
    void (*begin)(struct pq_engine *e, enum pq_operation operation);
    /* Start of layer l (l == layers: the head): values of layer l-2 and before may be dropped. */
    void (*layer)(struct pq_engine *e, uint32_t l);

    /* P1's embedding (protocols.md section 4): codes as RSS with x0 = 0, x1 = s01's PQ_S_MASK, x2 = code - x1 sent to
     * P2; residual in Z_2^8, P2's share from s12. This rank's hidden channels. 1 round (one-way). */
    void (*embed)(struct pq_engine *e, struct pq_rss *code, struct pq_add *residual);

    /* z = W' x + bias in Z_2^16, this rank's output channels; x is gathered (all channels). preprocessed: P1's share is
     * x2*w1 + r, r = s01's PQ_S_PRODUCT; published: x1*w1 + x1*w2 + x2*w1 + r. */
    struct pq_add (*linear)(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id);
    /* Per head and sequence: z[j][i] = sum over d of k[d][j] * q[d][i], [groups][keys][queries]. preprocessed: P1's
     * share is k2*(q2+q1) + k1*q2 + r; published: k1*q1 + k1*q2 + k2*q1 + r (r = s01's PQ_S_PRODUCT). */
    struct pq_add (*scores)(struct pq_engine *e, struct pq_rss qkv);
    /* z[d][i] = sum over j of v[d][j] * p[j][i], channel-major [heads*head_dim][tokens]; same shares, v for k, p for q.
     */
    struct pq_add (*context)(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p);

    /* Bits [top - t, top) of a value within 2^top: reduce both shares mod 2^top, P1 subtracts 1, both drop top - t
     * bits, P1 adds 1, mod 2^t (protocols.md section 3). Nothing at all when top == t. plain rounds to nearest: floor(z
     * / 2^s + 1/2). is_signed: z is in [-2^(top-1), 2^(top-1)), else [0, 2^top). Local. */
    struct pq_add (*truncate)(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed);
    /* a + b in the ring both share (Z_2^8, signed). Local. */
    struct pq_add (*add)(struct pq_engine *e, struct pq_add a, struct pq_add b);
    /* Sum over len: [groups][len][width] -> [groups][1][width], same ring. Local. clear: `is_signed` says how to read
     * it. */
    struct pq_add (*row_sum)(struct pq_engine *e, struct pq_add x, bool is_signed);

    /* delta = x - Delta. 2*bits per element, 1 round. */
    struct pq_opened (*open)(struct pq_engine *e, struct pq_add x);
    /* row - x with row [groups][1][width] repeated over len, both in one ring of 4 bits or more; the result in Z_2^4,
     * unsigned; offset is the difference. No round. */
    struct pq_opened (*difference)(struct pq_engine *e, struct pq_opened row, struct pq_opened x);

    /* out[o] = T_o(x), for all outputs of the table. No round. Material 2^index_bits * entry_bits a look-up and output.
     * clear of an output is signed if is_signed.
     * Halves: for element e with floor(e/256) even, P1's share is drawn from s01 (entry i is number e*2^index_bits + i
     * of stream PQ_S_TABLE + o) and P2 stores the rest; with floor(e/256) odd, P2's is drawn from s02, P1 stores the
     * rest. */
    void (*read)(struct pq_engine *e, struct pq_opened x, const struct pq_table *table, bool is_signed,
                 struct pq_add *out);
    /* T(x, row) with row [groups][1][width] repeated over len; content index x * 2^index2_bits + row. Unsigned result.
     * Halves: element k of row r (numbered over all groups) has table number r*len + k, whose index is row *
     * 2^index_bits + x; from s01 with floor(r/32) even, from s02 with it odd. */
    struct pq_add (*read_pair)(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                               const struct pq_table *table);
    /* One level of the maximum tree: y_j = max(x_j, x_(j+h)) for j < h = floor(len/2), and y_h = x_(len-1) when len
     * is odd, where xs is the share x was opened from. Signed codes; pair (j, j+h) of group g and column w has element
     * number (g*h + j)*width + w among all groups; halves as in read. No round.
     * Z_2^4: a table of the maximum, entry index delta_j * 16 + delta_(j+h).
     * Z_2^5: y_j = x_(j+h) + a table of max(x_j - x_(j+h), 0), entry index delta_j - delta_(j+h) mod 32. */
    struct pq_add (*halves)(struct pq_engine *e, struct pq_opened x, struct pq_add xs);
    /* For v = -7..7: how many of a row's values are >= v, in Z_2^bits: [groups][len][width] -> [groups][15][width].
     * Lane v+7 of entry i of element e is byte (bits <= 8) or 16-bit word number (e*16 + i)*16 + v+7 of stream
     * PQ_S_TABLE; halves as in read. No round. */
    struct pq_add (*count_at_least)(struct pq_engine *e, struct pq_opened u, unsigned bits);

    /* x in Z_2^16, signed or not, to RSS: x2 = x - x0 - x1 opened. 32 bits, 1 round. */
    struct pq_rss (*reshare)(struct pq_engine *e, struct pq_add x);
    /* x in Z_2^b, b = x.bits = 4 or 8, read as signed or not, lifted and reshared at once. With lambda = x0 + x1,
     * c = is_signed ? 2^(b-1) : 0: delta = x + c - lambda mod 2^b is opened; w = [delta + (lambda mod 2^b) >= 2^b];
     * the XOR-shared table of [i + lambda mod 2^b >= 2^b] ^ r (P1's half: PQ_S_TABLE) gives rho = w ^ r, opened;
     * g = A + rho*B = lambda_hi + w mod 2^(16-b), opened; x2 = delta - c - 2^b * g. 2b + 2 + 2(16-b) bits, 3 rounds. */
    struct pq_rss (*reshare_code)(struct pq_engine *e, struct pq_add x, bool is_signed);
    /* All channels of a value whose channels the ranks of a party own in blocks. Inside the party. P1, P2: the other
     * ranks' channels are in place when the linear or first_tokens that follows has returned, not before. */
    struct pq_rss (*gather)(struct pq_engine *e, struct pq_rss x);
    /* The first token of each sequence of a gathered value: [1][len][batch]. Local. */
    struct pq_rss (*first_tokens)(struct pq_engine *e, struct pq_rss x);

    /* h in Z_2^8, signed: opens delta = h + 128 - Delta (8 bits each way) and rho = w ^ r (1 bit each way). 2 rounds.
     * c0 = Delta - 256 r - 128, c1 = -256 (1 - 2r), in Z_2^32. Masks and wrap table as in reshare_code, 8-bit masks. */
    struct pq_lifted (*lift)(struct pq_engine *e, struct pq_add h);
    /* V = n*sum(h^2) - (sum h)^2 per token, unsigned in Z_2^32, n = all channels: sums over this rank's channels are
     * added inside the party and land at the rank that owns the token (dim [1][1][own tokens]). H = sum h is opened by
     * its owner (64 bits a token, 1 round). P1's share of sum(h^2): sum of delta^2 + 2 delta c0 + rho (2 delta c1 + 2
     * c0c1 + 2^16) in its shares c0, c1, c0c1, plus its share of sum c0^2; of V: n * that - (eta^2 + 2 eta Lambda + its
     * share of Lambda^2), eta = H - Lambda opened, Lambda from PQ_S_MASK (32 bits, element = token). */
    struct pq_add (*variance)(struct pq_engine *e, struct pq_lifted *h);
    /* y = (n*h - H) * r in Z_2^32, signed, where r [1][1][own tokens] is opened as mu = r - m by its owner (m:
     * PQ_S_MASK of this op, 64 bits a token, 1 round) and shared inside the party. P1's share: n (delta mu + delta m +
     * mu c0 + c0m + rho (mu c1 + c1m)) - (eta mu + eta m + mu Lambda + Lambda m) in its shares. */
    struct pq_add (*normalise)(struct pq_engine *e, struct pq_lifted h, struct pq_add r);

    /* Opens the logits [labels][batch] to P1 alone: P2 sends its share. 1 round (one-way). clear signed 16 bits. */
    void (*reveal)(struct pq_engine *e, struct pq_add logits);
};

struct pq_engine {
    const struct pq_ops *ops;
    struct pq_plan plan;
    size_t rank;                   /* j of this rank in its party */
    const struct pq_model *model;  /* NULL where it is not known */
    uint32_t op;                   /* number of the operation in progress; the encoder counts */
};

#endif
