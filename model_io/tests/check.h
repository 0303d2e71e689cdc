/* What the tests of this folder share: cmocka, a scratch folder, and the rule that an error is one line which names
 * the file. */
#ifndef PQ_MODEL_IO_CHECK_H
#define PQ_MODEL_IO_CHECK_H

#include "../../kernels/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A user's error in one line that contains `part`. Works on the value of a call, so that a failure shows the text. */
#define CHECK_USER_ERROR(call, err, part)                                                                    \
    do {                                                                                                     \
        memset((err)->text, 0, sizeof (err)->text);                                                          \
        assert_int_equal((call), PQ_USER);                                                                   \
        if (!strstr((err)->text, (part)))                                                                    \
            fail_msg("'%s' does not contain '%s'", (err)->text, (part));                                     \
        assert_null(strchr((err)->text, '\n'));                                                              \
        assert_true(strlen((err)->text) > strlen(part));                                                     \
    } while (0)

#define CHECK_OK(call, err)                                 \
    do {                                                    \
        if ((call) != PQ_OK)                                \
            fail_msg("%s", (err)->text);                    \
    } while (0)

#endif
