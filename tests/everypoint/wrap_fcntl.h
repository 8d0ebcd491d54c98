/* fcntl of a program that is linked with --wrap=fcntl: whoever includes this, once, is asked first.
   Ours always give flags or do not need them. */
#ifndef AMPEL_TESTS_WRAP_FCNTL_H
#define AMPEL_TESTS_WRAP_FCNTL_H

#include <stdarg.h>
#include <stdbool.h>

/* True: it fails, errno is set. */
static bool fcntl_fails(int command, int flags);

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    int flags = va_arg(arguments, int);
    va_end(arguments);
    return fcntl_fails(command, flags) ? -1 : __real_fcntl(fd, command, flags);
}

#endif
