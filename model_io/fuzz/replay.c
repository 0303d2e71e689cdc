/* Hands every file of the folders and files in its command line to a fuzz target, once: the corpus as a test of builds
 * without libFuzzer. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t replay(const char *path)
{
    size_t bytes;
    uint8_t *data = fuzz_slurp(path, &bytes);
    fprintf(stderr, "%s\n", path); /* the last one is the one that did it */
    LLVMFuzzerTestOneInput(data, bytes);
    free(data);
    return 1;
}

static int is_file(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    size_t files = 0;
    for (int i = 1; i < argc; i++) {
        struct dirent **name;
        char path[1024];
        int count = scandir(argv[i], &name, is_file, alphasort);
        if (count < 0)
            files += replay(argv[i]);
        for (int n = 0; n < count; n++) {
            snprintf(path, sizeof path, "%s/%s", argv[i], name[n]->d_name);
            files += replay(path);
            free(name[n]);
        }
        if (count >= 0)
            free(name);
    }
    printf("%zu inputs\n", files);
    return files ? 0 : 1;
}
