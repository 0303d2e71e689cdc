/* The program's commands, one file each. argv[0] is the command as typed; the result is the exit code (interface.md).
 */
#ifndef PQ_COMMANDS_H
#define PQ_COMMANDS_H

int pq_cmd_model(int argc, char **argv);
int pq_cmd_plain(int argc, char **argv);
int pq_cmd_cost(int argc, char **argv);
int pq_cmd_run(int argc, char **argv);
int pq_cmd_offline(int argc, char **argv);
int pq_cmd_eval(int argc, char **argv);
int pq_cmd_sweep(int argc, char **argv);
int pq_cmd_kernels(int argc, char **argv);
int pq_cmd_results(int argc, char **argv);
int pq_cmd_merge(int argc, char **argv); /* results merge */

#endif
