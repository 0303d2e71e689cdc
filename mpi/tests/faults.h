/* Planted faults: operations that leak, to be put in place of the right ones. The leak tests must notice each. Results
 * are wrong or not, nobody looks at them; messages have the right sizes. */
#ifndef PQ_TEST_FAULTS_H
#define PQ_TEST_FAULTS_H

#include "../inference.h"

enum fault {
    NO_FAULT,
    FAULT_UNMASKED,     /* P1, P2: openings without masks */
    FAULT_REUSED,       /* P1, P2: an opening takes the mask of an opening before it */
    FAULT_KNOWN_MASK,   /* P1, P2: masks of openings from s12, which both know */
    FAULT_WHOLE_TABLE,  /* P0: the stored half of a look-up is the whole table */
    FAULT_KNOWN_HALF,   /* P0: masks what it sends P2 with s02, which P2 knows */
    FAULT_TELLS_P0,     /* P1: sends its logits' share to P0 (published) */
    FAULT_REPEATS,      /* all: the second inference takes the first one's randomness */
    FAULTS
};
extern const char *const fault_name[FAULTS];

/* The operations of a session with the fault in them; kept as long as the session. */
struct planted { struct pq_ops dealer, party; };
void fault_plant(enum fault fault, struct pq_session *s, struct planted *keep);

#endif
