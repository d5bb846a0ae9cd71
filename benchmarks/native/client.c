/* What a compiled SMTP client reaches on this machine: the limit that the benchmark measures against.
 *
 *     gcc -O2 -o client client.c -lssl -lcrypto
 *     client PORT MAILS OCTETS lock|piggy|bdat TLS(0|1) CONNECTIONS      prints "SECONDS CPU_SECONDS"
 *
 * It is bare on purpose: one thread takes the connections in turns, looks at the first digit of each reply, and ends at
 * the first surprise. Connections stand, and are logged in, before the clock starts.
 *   lock   one command for each round trip
 *   piggy  MAIL, RCPT and DATA of the next mail right behind the final dot
 *   bdat   MAIL, RCPT and the content as one BDAT chunk; 8 mails are written before their replies are read
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MAIL "MAIL FROM:<foo@a.test>\r\n"
#define RCPT "RCPT TO:<bar@b.test>\r\n"
#define DATA "DATA\r\n"
#define WINDOW 8

struct line { int fd; SSL *tls; char heard[65536]; int length; };
static struct line *lines;
static int connections;

static void fail(const char *why) { fprintf(stderr, "client: %s\n", why); exit(1); }

static void put(struct line *l, const char *text, int length) {
    for (int n; length > 0; text += n, length -= n) {
        n = l->tls ? SSL_write(l->tls, text, length) : (int)write(l->fd, text, length);
        if (n <= 0) fail("the line broke");
    }
}

/* The next whole reply, which must begin with this digit. */
static void hear(struct line *l, char digit) {
    for (;;) {
        char *end;
        while (l->length && (end = memchr(l->heard, '\n', l->length))) {
            int last = l->heard[3] == ' ', right = l->heard[0] == digit;
            l->length -= end + 1 - l->heard;
            memmove(l->heard, end + 1, l->length);
            if (!right) fail("an answer that was not expected");
            if (last) return;
        }
        int room = sizeof l->heard - l->length;
        int n = l->tls ? SSL_read(l->tls, l->heard + l->length, room) : (int)read(l->fd, l->heard + l->length, room);
        if (n <= 0) fail("the line broke");
        l->length += n;
    }
}

static void ask(struct line *l, const char *text, char digit) { put(l, text, strlen(text)); hear(l, digit); }

static void open_line(struct line *l, int port, SSL_CTX *context) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(l->fd, (void *)&address, sizeof address)) fail("nobody listens");
    hear(l, '2');
    ask(l, "EHLO client.test\r\n", '2');
    if (!context) return;
    ask(l, "STARTTLS\r\n", '2');
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, l->fd);
    if (SSL_connect(tls) != 1) fail("no TLS");
    l->tls = tls;
    ask(l, "EHLO client.test\r\n", '2');
    ask(l, "AUTH PLAIN AHUAcA==\r\n", '2');
}

/* One piece of text, put on or heard from every line that has a mail in this round. */
#define EACH(l, many) for (struct line *l = lines; l < lines + (many); l++)

static void lock_step(const char *content, int length, int mails) {
    for (int sent = 0; sent < mails; sent += connections) {
        int many = mails - sent < connections ? mails - sent : connections;
        EACH(l, many) put(l, MAIL, strlen(MAIL));
        EACH(l, many) { hear(l, '2'); put(l, RCPT, strlen(RCPT)); }
        EACH(l, many) { hear(l, '2'); put(l, DATA, strlen(DATA)); }
        EACH(l, many) { hear(l, '3'); put(l, content, length); }
        EACH(l, many) hear(l, '2');
    }
}

static void piggyback(const char *content, int length, int mails) { /* the next envelope stands behind `length` */
    const int envelope = strlen(MAIL RCPT DATA);
    EACH(l, mails < connections ? mails : connections) put(l, MAIL RCPT DATA, envelope);
    for (int sent = 0; sent < mails; sent += connections) {
        int left = mails - sent, many = left < connections ? left : connections;
        EACH(l, many) {
            hear(l, '2'); hear(l, '2'); hear(l, '3');
            int another = l - lines + connections < left;
            put(l, content, another ? length + envelope : length);
        }
        EACH(l, many) hear(l, '2');
    }
}

static void in_chunks(const char *mail, int length, int mails) { /* the envelope stands in front */
    for (int sent = 0, many; sent < mails; sent += many) {
        many = mails - sent < connections * WINDOW ? mails - sent : connections * WINDOW;
        for (int i = 0; i < many; i++) put(lines + i % connections, mail, length);
        for (int i = 0; i < many; i++) for (int reply = 0; reply < 3; reply++) hear(lines + i % connections, '2');
    }
}

static double seconds(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static double cpu(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

int main(int count, char **words) {
    if (count < 7) fail("PORT MAILS OCTETS lock|piggy|bdat TLS CONNECTIONS");
    int port = atoi(words[1]), mails = atoi(words[2]), octets = atoi(words[3]), secret = atoi(words[5]);
    int piggy = !strcmp(words[4], "piggy"), chunks = !strcmp(words[4], "bdat");
    connections = atoi(words[6]);
    lines = calloc(connections, sizeof *lines);

    char *content = malloc(octets + 4096);
    int length = chunks ? sprintf(content, MAIL RCPT "BDAT %d LAST\r\n", octets) : 0;
    for (int left = octets, n; left > 0; left -= n, length += n) { /* lines of 76, each ended */
        n = left > 78 + 2 ? 78 : left;
        memset(content + length, 'x', n);
        memcpy(content + length + n - 2, "\r\n", 2);
    }
    if (!chunks) length += sprintf(content + length, ".\r\n");
    if (piggy) sprintf(content + length, MAIL RCPT DATA);

    SSL_CTX *context = secret ? SSL_CTX_new(TLS_client_method()) : 0;
    EACH(l, connections) open_line(l, port, context);
    double begun = seconds(), used = cpu();
    (chunks ? in_chunks : piggy ? piggyback : lock_step)(content, length, mails);
    printf("%.6f %.6f\n", seconds() - begun, cpu() - used);
    return 0;
}
