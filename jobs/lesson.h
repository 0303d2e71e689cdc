/* What --help says behind a command's options, where these do not explain themselves. */
#ifndef PQ_LESSON_H
#define PQ_LESSON_H

#include "options.h"

/* Ends with a newline; "" where there is nothing to add. */
const char *pq_lesson(enum pq_command command);

#endif
