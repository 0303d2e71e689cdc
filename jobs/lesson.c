#include "lesson.h"

static const char eval[] =
    "\n"
    "How often the model's decision is the label: the one with the largest logit, of equals the first.\n"
    "\n"
    "  pqbert eval --model m --data dev.tsv                                     the integer model in the clear\n"
    "  mpirun -n 3 pqbert eval --model m --data dev.tsv --limit 500 --out r.h5  the same and by private inference\n"
    "  pqbert results show r.h5                                                 both accuracies of each evaluation\n"
    "\n"
    "FILE starts with the line sentence<TAB>label; each further line is a sentence, a tab and a label from 0 on, in\n"
    "UTF-8. A sentence that is longer than the model's longest sequence is cut, as BERT does; how many were is said.\n"
    "Without mpirun model and sentences are in one process, and only the model in the clear is evaluated.\n"
    "\n"
    "Under mpirun, P1's first rank alone reads FILE and makes tokens of it; the others learn how many sentences there\n"
    "are and how long each is. Sentences of one length go together, --batch at a time: their order is not the file's.\n"
    "Each batch is verified as with run: after the inference P1 shows its tokens, labels and logits to P0, which\n"
    "replays it, decides the same sentences in the clear, and writes the result file. So an evaluation measures, and\n"
    "does not protect its sentences from P0. There is no --no-verify.\n"
    "\n"
    "A stopped evaluation is continued by the same line with --resume; no sentence is evaluated twice. Beside each\n"
    "accuracy stands the interval that holds the true one with probability 95 % (Wilson). Exit code 3: a batch was\n"
    "INVALID.\n";

static const char import[] =
    "\n"
    "Makes a model of a BERT, MiniLM or other encoder of that layout, in full precision, without training.\n"
    "\n"
    "  pqbert model import --checkpoint DIR --calibrate sentences.txt --out m\n"
    "\n"
    "DIR holds config.json, model.safetensors (float32, float16 or bfloat16) and vocab.txt. Give sentences like\n"
    "those that will be asked: ranges come from them, and what exceeds a range wraps. Each layer is fitted to full\n"
    "precision on three quarters of them. The rest shows what is lost: for each layer the cosine and the relative\n"
    "error of its output here against that in full precision, and how often both decide alike.\n"
    "\n"
    "Activations have 4 bits, which costs much without training, and 1-bit weights cost nearly everything: for those\n"
    "train. Weights of 2 to 8 bits cost the same online as those of 1 in the protocol preprocessed.\n";

const char *pq_lesson(enum pq_command command)
{
    return command == PQ_CMD_EVAL ? eval : command == PQ_CMD_IMPORT ? import : "";
}
