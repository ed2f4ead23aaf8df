/* Preloaded into a node: says of one datagram, which holds this text, that it is longer than any buffer. So a thread of the very
 * program that is shipped meets what cannot be, and nothing is built into it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>

static const char lie[] = "a kernel lies";

int recvmmsg(int socket, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout) {
    __typeof__(&recvmmsg) next = (__typeof__(&recvmmsg))dlsym(RTLD_NEXT, "recvmmsg");
    int came = next(socket, messages, count, flags, timeout);
    for (int at = 0; at < came; at++) {
        struct mmsghdr *message = &messages[at];
        if (message->msg_len == sizeof lie - 1 && !memcmp(message->msg_hdr.msg_iov->iov_base, lie, sizeof lie - 1))
            message->msg_len = 1u << 28;
    }
    return came;
}
