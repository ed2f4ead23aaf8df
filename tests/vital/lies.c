/* Preloaded into a node: says of one datagram, which holds this text, that it is longer than any buffer, and returns no more
 * after another. So a thread of the very program that is shipped meets what cannot be, and nothing is built into it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char lie[] = "a kernel lies";
static const char nap[] = "a kernel sleeps";

static int holds(const struct mmsghdr *message, const char *text) {
    return message->msg_len == strlen(text) && !memcmp(message->msg_hdr.msg_iov->iov_base, text, strlen(text));
}

int recvmmsg(int socket, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout) {
    __typeof__(&recvmmsg) next = (__typeof__(&recvmmsg))dlsym(RTLD_NEXT, "recvmmsg");
    int came = next(socket, messages, count, flags, timeout);
    for (int at = 0; at < came; at++) {
        struct mmsghdr *message = &messages[at];
        while (holds(message, nap)) pause();
        if (holds(message, lie)) message->msg_len = 1u << 28;
    }
    return came;
}
