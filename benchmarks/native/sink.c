/* An SMTP server that takes every mail and keeps none: what the benchmark's clients send to. One thread, epoll.
 *
 *     gcc -O2 -o sink sink.c -lssl -lcrypto
 *     sink [-c cert.pem -k key.pem] [-r MS] [-q MS] [-t SECONDS]
 *
 * It listens on 127.0.0.1 alone, says "port N" once it does, and ends by itself after -t seconds.
 *   -c -k  offer STARTTLS with this certificate and key
 *   -r     each reply comes so many ms later, as over a network with that round trip; replies written together share it
 *   -q     a mail's last reply comes so many ms later, and nothing is read meanwhile, as where a queue is put on disk
 * XSTAT is answered by "250 MAILS OCTETS", what it has taken since it was started.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define HEARD 65536
#define MEMBERS_OF(array) (int)(sizeof(array) / sizeof *(array))

struct words { double due; int length; struct words *next; char text[]; };

struct line {
    int fd;
    SSL *tls;
    enum { CLEAR, HANDSHAKE, SECRET } secrecy;
    enum { COMMANDS, CONTENT, CHUNK } hearing;
    int fresh;               /* not a byte of this content was heard: a dot may stand at its very beginning */
    long chunk_left;
    int chunk_last;
    int challenges;          /* how many answers an AUTH still waits for */
    int wants_tls, leaving, broken;
    double busy_until;       /* the mail that was taken last is being put into the queue */
    char heard[HEARD];
    int length;
    char reply[8192];        /* said, and not yet on its way */
    int reply_length;
    struct words *first, *last; /* on their way, for as long as the round trip takes */
    struct line *next;
};

static double round_trip, queueing; /* ms */
static SSL_CTX *context;
static struct line *lines;
static long mails, octets;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Saying */

static void put(struct line *l, const char *text, int length) {
    while (length > 0 && !l->broken) {
        int n = l->secrecy == SECRET ? SSL_write(l->tls, text, length) : (int)write(l->fd, text, length);
        if (n > 0) { text += n; length -= n; continue; }
        int full = l->secrecy == SECRET ? SSL_get_error(l->tls, n) == SSL_ERROR_WANT_WRITE : errno == EAGAIN;
        struct pollfd room = {l->fd, POLLOUT, 0};
        if (!full || poll(&room, 1, 1000) != 1) l->broken = 1;
    }
}

/* Everything said since the last call goes in one write: at once, or when its time has come. */
static void flush(struct line *l) {
    if (!l->reply_length) return;
    if (round_trip > 0 || queueing > 0) {
        struct words *w = malloc(sizeof *w + l->reply_length);
        w->due = (l->busy_until ? l->busy_until : now()) + round_trip;
        w->length = l->reply_length;
        w->next = 0;
        memcpy(w->text, l->reply, l->reply_length);
        if (l->last) l->last->next = w; else l->first = w;
        l->last = w;
    } else put(l, l->reply, l->reply_length);
    l->reply_length = 0;
}

static void say(struct line *l, const char *text) {
    int length = strlen(text);
    if (l->reply_length + length > (int)sizeof l->reply) flush(l);
    memcpy(l->reply + l->reply_length, text, length);
    l->reply_length += length;
}

static void taken(struct line *l) {
    mails++;
    l->hearing = COMMANDS;
    if (queueing > 0) { flush(l); l->busy_until = now() + queueing; }
    say(l, "250 2.0.0 Ok: queued as 4XyZ1q0Abc\r\n");
}

/* Commands */

static void ehlo(struct line *l, const char *rest) {
    (void)rest;
    say(l, "250-sink.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n");
    if (context && l->secrecy == CLEAR) say(l, "250-STARTTLS\r\n");
    say(l, "250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN LOGIN\r\n250 DSN\r\n");
}
static void helo(struct line *l, const char *rest) { (void)rest; say(l, "250 sink.test\r\n"); }
static void mail(struct line *l, const char *rest) { (void)rest; say(l, "250 2.1.0 Ok\r\n"); }
static void rcpt(struct line *l, const char *rest) { (void)rest; say(l, "250 2.1.5 Ok\r\n"); }
static void nothing(struct line *l, const char *rest) { (void)rest; say(l, "250 2.0.0 Ok\r\n"); }
static void data(struct line *l, const char *rest) {
    (void)rest;
    say(l, "354 End data with <CR><LF>.<CR><LF>\r\n");
    l->hearing = CONTENT;
    l->fresh = 1;
}
static void bdat(struct line *l, const char *rest) {
    l->chunk_left = atol(rest);
    l->chunk_last = strcasestr(rest, "LAST") != 0;
    l->hearing = CHUNK;
}
static void starttls(struct line *l, const char *rest) {
    (void)rest;
    if (!context || l->secrecy != CLEAR) { say(l, "502 5.5.1 No\r\n"); return; }
    say(l, "220 2.0.0 Ready\r\n");
    l->wants_tls = 1;
}
static void auth(struct line *l, const char *rest) {
    int login = !strncasecmp(rest, " LOGIN", 6), initial = strlen(rest) > 6;
    l->challenges = (login ? 2 : 1) - initial;
    say(l, l->challenges ? "334 \r\n" : "235 2.7.0 Ok\r\n");
}
static void stat(struct line *l, const char *rest) {
    char text[64];
    (void)rest;
    snprintf(text, sizeof text, "250 %ld %ld\r\n", mails, octets);
    say(l, text);
}
static void quit(struct line *l, const char *rest) { (void)rest; say(l, "221 2.0.0 Bye\r\n"); l->leaving = 1; }

static const struct { const char *verb; void (*answer)(struct line *, const char *); } COMMANDS_KNOWN[] = {
    {"MAIL", mail}, {"RCPT", rcpt}, {"DATA", data}, {"BDAT", bdat}, {"RSET", nothing}, {"NOOP", nothing},
    {"EHLO", ehlo}, {"HELO", helo}, {"STARTTLS", starttls}, {"AUTH", auth}, {"XSTAT", stat}, {"QUIT", quit},
};

static void command(struct line *l, const char *text) {
    if (l->challenges) { say(l, --l->challenges ? "334 \r\n" : "235 2.7.0 Ok\r\n"); return; }
    for (int i = 0; i < MEMBERS_OF(COMMANDS_KNOWN); i++) {
        int length = strlen(COMMANDS_KNOWN[i].verb);
        if (!strncasecmp(text, COMMANDS_KNOWN[i].verb, length)) { COMMANDS_KNOWN[i].answer(l, text + length); return; }
    }
    say(l, "500 5.5.2 What?\r\n");
}

/* Hearing: each takes what it can from `text` and tells how much; 0 when more must be heard first. */

static int hear_command(struct line *l, char *text, int length) {
    char *end = memchr(text, '\n', length);
    if (!end) { if (length > 8000) l->broken = 1; return 0; }
    *(end > text && end[-1] == '\r' ? end - 1 : end) = 0;
    command(l, text);
    return end + 1 - text;
}

static int hear_content(struct line *l, char *text, int length) {
    if (l->fresh && *text == '.') {
        if (length < 3) return 0;
        if (!memcmp(text, ".\r\n", 3)) { taken(l); return 3; }
    }
    l->fresh = 0;
    char *end = memmem(text, length, "\r\n.\r\n", 5);
    int used = end ? end + 2 - text : length > 4 ? length - 4 : 0;
    octets += used;
    if (!end) return used;
    taken(l);
    return used + 3;
}

static int hear_chunk(struct line *l, int length) {
    int used = length < l->chunk_left ? length : l->chunk_left;
    octets += used;
    l->chunk_left -= used;
    if (l->chunk_left) return used;
    l->hearing = COMMANDS;
    if (l->chunk_last) taken(l); else say(l, "250 2.0.0 Ok\r\n");
    return used;
}

static void parse(struct line *l) {
    int at = 0;
    while (!l->leaving && !l->broken && !l->busy_until && !l->wants_tls) {
        int left = l->length - at, empty_chunk = l->hearing == CHUNK && !l->chunk_left;
        if (!left && !empty_chunk) break;
        int used = l->hearing == CONTENT ? hear_content(l, l->heard + at, left)
                 : l->hearing == CHUNK   ? hear_chunk(l, left)
                                         : hear_command(l, l->heard + at, left);
        if (!used && !empty_chunk) break;
        at += used;
    }
    l->length -= at;
    memmove(l->heard, l->heard + at, l->length);
    flush(l);
}

/* Takes one line as far as it goes now; returns whether it is still there. */
static int serve(struct line *l) {
    for (;;) {
        if (l->broken) return 0;
        if (l->busy_until) {
            if (now() < l->busy_until) return 1;
            l->busy_until = 0;
            parse(l);
            continue;
        }
        if (l->leaving) return l->first != 0;
        if (l->wants_tls) {
            if (l->first) return 1; /* the 220 is still on its way */
            l->wants_tls = 0;
            l->length = 0;
            l->tls = SSL_new(context);
            SSL_set_fd(l->tls, l->fd);
            l->secrecy = HANDSHAKE;
        }
        int n;
        if (l->secrecy == HANDSHAKE) {
            n = SSL_accept(l->tls);
            if (n != 1) return SSL_get_error(l->tls, n) == SSL_ERROR_WANT_READ;
            l->secrecy = SECRET;
        }
        if (l->secrecy == SECRET) {
            n = SSL_read(l->tls, l->heard + l->length, HEARD - l->length);
            if (n <= 0) return SSL_get_error(l->tls, n) == SSL_ERROR_WANT_READ;
        } else {
            n = read(l->fd, l->heard + l->length, HEARD - l->length);
            if (n <= 0) return n < 0 && errno == EAGAIN;
        }
        l->length += n;
        parse(l);
    }
}

static void drop(struct line *l) {
    struct line **at = &lines;
    while (*at != l) at = &(*at)->next;
    *at = l->next;
    for (struct words *w = l->first, *next; w; w = next) { next = w->next; free(w); }
    SSL_free(l->tls);
    close(l->fd);
    free(l);
}

static void accept_all(int listener, int poller) {
    int fd, on = 1;
    while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct line *l = calloc(1, sizeof *l);
        l->fd = fd;
        l->next = lines;
        lines = l;
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = l};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        say(l, "220 sink.test ESMTP\r\n");
        flush(l);
    }
}

/* Does all that is due, and sets the alarm for what is due next. */
static void catch_up(int alarm) {
    double t = now(), soonest = 0;
    for (struct line *l = lines, *next; l; l = next) {
        next = l->next;
        int due = l->busy_until && l->busy_until <= t;
        while (l->first && l->first->due <= t) {
            struct words *w = l->first;
            put(l, w->text, w->length);
            if (!(l->first = w->next)) l->last = 0;
            free(w);
            due = 1;
        }
        if (due && !serve(l)) { drop(l); continue; }
        double times[] = {l->first ? l->first->due : 0, l->busy_until};
        for (int i = 0; i < 2; i++) if (times[i] && (!soonest || times[i] < soonest)) soonest = times[i];
    }
    long long ns = soonest * 1e6;
    struct itimerspec at = {.it_value = {ns / 1000000000, ns % 1000000000}}; /* 0 switches it off */
    timerfd_settime(alarm, TFD_TIMER_ABSTIME, &at, 0);
}

static SSL_CTX *context_of(const char *certificate, const char *key) {
    SSL_CTX *made = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(made, certificate) != 1 || SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "sink: %s and %s are no certificate and key\n", certificate, key);
        exit(1);
    }
    SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_read_ahead(made, 1);
    return made;
}

int main(int count, char **words) {
    const char *certificate = 0, *key = 0;
    int option, on = 1, seconds = 600;
    while ((option = getopt(count, words, "c:k:r:q:t:")) != -1) switch (option) {
        case 'c': certificate = optarg; break;
        case 'k': key = optarg; break;
        case 'r': round_trip = atof(optarg); break;
        case 'q': queueing = atof(optarg); break;
        case 't': seconds = atoi(optarg); break;
        default: return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    alarm(seconds);
    if (certificate && key) context = context_of(certificate, key);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&address, length) || listen(listener, 512)) { perror("sink"); return 1; }
    getsockname(listener, (void *)&address, &length);
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);

    int poller = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event door = {.events = EPOLLIN, .data.ptr = 0}, bell = {.events = EPOLLIN, .data.ptr = &timer};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &door);
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &bell);
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(poller, events, MEMBERS_OF(events), -1);
        for (int i = 0; i < n; i++) {
            struct line *l = events[i].data.ptr;
            if (!l) accept_all(listener, poller);
            else if ((void *)l != (void *)&timer && !serve(l)) drop(l);
        }
        if (round_trip > 0 || queueing > 0) catch_up(timer);
    }
}
