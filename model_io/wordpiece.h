/* BERT's uncased WordPiece: text to token ids, on P1's side only. Equal to the PyPI package `tokenizers`
 * (BertWordPieceTokenizer, lowercase), except for characters newer than its tables (Unicode 8): utf8proc's are newer.
 *
 * A text is
 *   1. searched for the special tokens' names, as they stand: "[MASK]" is one token, as in the reference;
 *   2. cleaned: control, format, private-use characters, U+0000 and U+FFFD go; white space becomes a blank; a blank
 *      stands before and after every CJK ideograph;
 *   3. decomposed (NFD), without non-spacing marks (accents), in lower case;
 *   4. split at blanks, and at punctuation (ASCII other than letters and digits, Unicode's P*), which is kept;
 *   5. each word cut into the longest tokens of the vocabulary from the left, those inside a word written with ##; a
 *      word that cannot be cut, or of more than 100 characters, is one [UNK].
 * Around them stand [CLS] and [SEP].
 *
 * Padding: there is none. These models have no attention mask, so a sequence is as long as its text: its length,
 * which all parties learn, is the number of tokens. What exceeds the model's longest sequence is cut off before
 * [SEP]. */
#ifndef PQ_WORDPIECE_H
#define PQ_WORDPIECE_H

#include "vocabulary.h"

enum { PQ_WORD_CHARACTERS = 100 };

/* token [max], max >= 2; *count tokens were written, and *cut says whether more would have been. PQ_USER when the text
 * is not UTF-8: the line starts with `source` and says the offset of the byte. The text and everything made of it is
 * overwritten in memory that this function took. Time is linear in the text, quadratic in the length of a word. */
PQ_MUST_USE enum pq_status pq_wordpiece_encode(const struct pq_vocabulary *v, const char *text, size_t bytes,
                                               const char *source, uint32_t *token, size_t max, size_t *count,
                                               bool *cut, struct pq_error *err);

#endif
