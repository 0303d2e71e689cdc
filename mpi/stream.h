/* Who draws what from which seed: the map of all randomness (kernels/prg.h says what an address is).
 *
 * s01, s02, s12 are the seeds of the pairs of parties. `op` is the number of the engine operation within the inference
 * (engine.h), `element` the index in the whole value, so nothing depends on G or on threads. Where an operation needs
 * several independent values, it uses several streams. Each address has one purpose.
 *
 * stream              seed      element width        purpose
 * PQ_S_MASK           s01, s02  ring_bytes * 8       offset of an opening, Delta = s01's + s02's mod 2^bits;
 *                                                    reshare: x1 = s01's, x0 = s02's (16 bits)
 * PQ_S_MASK           s12       8                    P2's share of the embedding's residual
 * PQ_S_FLIP           s01, s02  1                    r = s01's xor s02's, hides a wrap bit (neither P1 nor P2 knows it)
 * PQ_S_TABLE + o      s01, s02  entry_bits of out o  a half of table o; entry i of element e is number
 *                                                    e*2^index_bits + i; whose half, from which seed: engine.h, read
 * PQ_S_PRODUCT        s01       16                   r of a matrix product, P1's share of what P0 adds
 * PQ_S_W              s01, s02  16                   set-up: w1 from s01, (published) w0 from s02
 * others              s01       16 or 32             P1's halves of the numbers P0 deals, named after them
 */
#ifndef PQ_STREAM_H
#define PQ_STREAM_H

enum pq_stream {
    PQ_S_MASK = 0,
    PQ_S_FLIP = 1,
    PQ_S_PRODUCT = 2,
    PQ_S_W = 3,
    PQ_S_CARRY = 4,      /* reshare_code: A = r + lambda_hi                (16 bits) */
    PQ_S_SIGN = 5,       /* reshare_code: B = 1 - 2r                       (16 bits) */
    PQ_S_C0 = 6,         /* lift: c0 = Delta - 2^b r - 2^(b-1)             (32 bits) */
    PQ_S_C1 = 7,         /* lift: c1 = -2^b (1 - 2r)                       (32 bits) */
    PQ_S_C0C1 = 8,       /* variance: c0*c1                                (32 bits) */
    PQ_S_SQUARES = 9,    /* variance: sum over channels of c0^2, per token (32 bits) */
    PQ_S_SUM_SQUARE = 10,/* variance: Lambda^2, per token                  (32 bits) */
    PQ_S_C0M = 11,       /* normalise: c0*m                                (32 bits) */
    PQ_S_C1M = 12,       /* normalise: c1*m                                (32 bits) */
    PQ_S_SUM_M = 13,     /* normalise: Lambda*m, per token                 (32 bits) */
    PQ_S_TABLE = 16,     /* + output number */
};

#endif
