/* sink: a small, fast SMTP server that accepts everything and keeps nothing, so that the client is what is measured.
 *
 * One thread serves one connection. Replies are gathered and leave when the input runs dry, as with Postfix and Exim, so
 * that a client that pipelines gets them in few segments. It keeps the rules that matter to a client: MAIL before RCPT
 * before DATA or BDAT, nothing kept across STARTTLS.
 *
 *     cc -O2 -pthread -o sink sink.c -lssl -lcrypto
 *     sink [-x KEYWORD,KEYWORD] [-c PEM] [-i] [-d FOLDER]
 *
 *     -x  leave these keywords out of the answer to EHLO
 *     -c  private key and certificate chain: offers STARTTLS
 *     -i  TLS from the first octet instead
 *     -d  keep each message as a file there: the lines MAIL and RCPT, an empty line, the content without its transparency
 *
 * It prints "PORT n". XCOUNT is answered with "250 connections messages recipients octets resumed microseconds": what
 * was taken so far, how many TLS sessions were resumed, and the processor time of this process.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 512 * 1024, REPLIES = 64 * 1024 };

static atomic_long connections, messages, recipients, octets, resumed, files;
static const char *hidden = "", *folder;
static SSL_CTX *tls;
static int implicit;

struct client {
    int fd;
    SSL *ssl;
    char *in; /* input; what is not read yet is from `at` to `end` */
    size_t at, end;
    char out[REPLIES];
    size_t waiting; /* octets of `out` */
    FILE *file;     /* where the message goes, with -d */
    int line_start; /* of the content in that file */
    int mail, rcpts, chunks;
    char *said; /* the lines MAIL and RCPT, with -d */
    size_t said_size;
    FILE *envelope;
};

static int send_replies(struct client *c)
{
    size_t done = 0;
    while (done < c->waiting) {
        ssize_t n = c->ssl ? SSL_write(c->ssl, c->out + done, c->waiting - done)
                           : send(c->fd, c->out + done, c->waiting - done, MSG_NOSIGNAL);
        if (n <= 0) return 0;
        done += n;
    }
    c->waiting = 0;
    return 1;
}

static void say(struct client *c, const char *text)
{
    size_t n = strlen(text);
    if (c->waiting + n > REPLIES) send_replies(c);
    memcpy(c->out + c->waiting, text, n);
    c->waiting += n;
}

/* Reads more behind what is there. False at the end of the connection, or when there is no room. */
static int more(struct client *c)
{
    if (!send_replies(c)) return 0;
    if (c->at) {
        memmove(c->in, c->in + c->at, c->end - c->at);
        c->end -= c->at;
        c->at = 0;
    }
    if (c->end == ROOM) return 0;
    ssize_t n;
    do
        n = c->ssl ? SSL_read(c->ssl, c->in + c->end, ROOM - c->end) : recv(c->fd, c->in + c->end, ROOM - c->end, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0) return 0;
    c->end += n;
    return 1;
}

static char *next_line(struct client *c)
{
    size_t seen = 0;
    for (;;) {
        char *begin = c->in + c->at, *lf = memchr(begin + seen, '\n', c->end - c->at - seen);
        if (lf) {
            c->at = lf + 1 - c->in;
            *lf = 0;
            if (lf > begin && lf[-1] == '\r') lf[-1] = 0;
            return begin;
        }
        seen = c->end - c->at;
        if (!more(c)) return NULL;
    }
}

static void note(struct client *c, const char *line)
{
    if (!folder) return;
    if (!c->envelope) c->envelope = open_memstream(&c->said, &c->said_size);
    fprintf(c->envelope, "%s\r\n", line);
}

static void forget(struct client *c)
{
    if (c->envelope) {
        fclose(c->envelope);
        free(c->said);
        c->envelope = NULL;
    }
    if (c->file) fclose(c->file);
    c->file = NULL;
    c->mail = c->rcpts = c->chunks = 0;
}

static void open_file(struct client *c)
{
    char path[4096];
    if (!folder || c->file) return;
    snprintf(path, sizeof path, "%s/%08ld", folder, atomic_fetch_add(&files, 1));
    c->file = fopen(path, "w");
    c->line_start = 1;
    if (!c->file) return;
    fflush(c->envelope);
    fwrite(c->said, 1, c->said_size, c->file);
    fputs("\r\n", c->file);
}

static void content(struct client *c, const char *p, size_t n, int dotted)
{
    atomic_fetch_add_explicit(&octets, (long)n, memory_order_relaxed);
    if (!c->file) return;
    if (!dotted) {
        fwrite(p, 1, n, c->file);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!c->line_start || p[i] != '.') putc_unlocked(p[i], c->file);
        c->line_start = p[i] == '\n';
    }
}

/* The whole message is there: it counts before the client hears of it. */
static void take(struct client *c)
{
    atomic_fetch_add(&recipients, c->rcpts);
    atomic_fetch_add(&messages, 1);
    forget(c);
    say(c, "250 2.0.0 Ok: queued\r\n");
}

/* Content up to a line that is a dot alone; false when the connection ends before. */
static int data(struct client *c)
{
    int fresh = 1; /* nothing was passed on yet: a dot at the very front ends it, too */
    for (;;) {
        char *begin = c->in + c->at, *end = c->in + c->end, *dot = begin;
        while ((dot = memchr(dot, '.', end - dot))) {
            int first = fresh && dot == begin;
            if (end - dot < 3) break;
            if (dot[1] == '\r' && dot[2] == '\n' &&
                (first || (dot - begin >= 2 && dot[-1] == '\n' && dot[-2] == '\r'))) {
                content(c, begin, dot - begin, 1);
                c->at = dot + 3 - c->in;
                return 1;
            }
            dot++;
        }
        size_t have = end - begin, kept = have < 4 ? have : 4; /* the end may be in two pieces */
        if (have > kept) fresh = 0;
        content(c, begin, have - kept, 1);
        c->at = c->end - kept;
        if (!more(c)) return 0;
    }
}

static int chunk(struct client *c, unsigned long size)
{
    while (size) {
        if (c->at == c->end) {
            c->at = c->end = 0;
            if (!more(c)) return 0;
        }
        size_t n = c->end - c->at;
        if (n > size) n = size;
        content(c, c->in + c->at, n, 0);
        c->at += n;
        size -= n;
    }
    return 1;
}

static int offered(const char *keyword)
{
    return !strcasestr(hidden, keyword);
}

static void ehlo(struct client *c)
{
    static const char *plain[] = {"PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"};
    forget(c);
    say(c, "250-sink.example\r\n");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (offered(plain[i])) say(c, "250-"), say(c, plain[i]), say(c, "\r\n");
    if (offered("BINARYMIME") && offered("CHUNKING")) say(c, "250-BINARYMIME\r\n");
    if (offered("AUTH")) say(c, "250-AUTH PLAIN LOGIN\r\n");
    if (tls && !c->ssl) say(c, "250-STARTTLS\r\n");
    say(c, "250 SIZE 0\r\n");
}

/* Any name and any password will do; false when the connection ends. */
static int login(struct client *c, const char *line)
{
    if (!strncasecmp(line, "AUTH LOGIN", 10)) {
        if (!line[10]) {
            say(c, "334 VXNlcm5hbWU6\r\n");
            if (!next_line(c)) return 0;
        }
        say(c, "334 UGFzc3dvcmQ6\r\n");
        if (!next_line(c)) return 0;
    } else if (!line[10]) {
        say(c, "334 \r\n");
        if (!next_line(c)) return 0;
    }
    say(c, "235 2.7.0 Ok\r\n");
    return 1;
}

static int begin_tls(struct client *c)
{
    c->at = c->end = 0;
    c->ssl = SSL_new(tls);
    SSL_set_fd(c->ssl, c->fd);
    if (SSL_accept(c->ssl) <= 0) return 0;
    if (SSL_session_reused(c->ssl)) atomic_fetch_add(&resumed, 1);
    forget(c);
    return 1;
}

static void count(struct client *c)
{
    char line[200];
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    long cpu = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    snprintf(line, sizeof line, "250 %ld %ld %ld %ld %ld %ld\r\n", (long)connections, (long)messages, (long)recipients,
             (long)octets, (long)resumed, cpu);
    say(c, line);
}

/* MAIL, RCPT, DATA and BDAT; false when the connection ends. */
static int transaction(struct client *c, char *l)
{
    if (!strncasecmp(l, "MAIL FROM:", 10)) {
        if (c->mail) say(c, "503 5.5.1 there is a sender already\r\n");
        else c->mail = 1, note(c, l), say(c, "250 2.1.0 Ok\r\n");
    } else if (!strncasecmp(l, "RCPT TO:", 8)) {
        if (!c->mail) say(c, "503 5.5.1 MAIL comes first\r\n");
        else c->rcpts++, note(c, l), say(c, "250 2.1.5 Ok\r\n");
    } else if (!c->rcpts) {
        if (!strncasecmp(l, "BDAT ", 5) && !chunk(c, strtoul(l + 5, NULL, 10))) return 0;
        say(c, "503 5.5.1 RCPT comes first\r\n");
    } else if (!strcasecmp(l, "DATA") && !c->chunks) {
        say(c, "354 go ahead\r\n");
        open_file(c);
        if (!data(c)) return 0;
        take(c);
    } else if (!strncasecmp(l, "BDAT ", 5) && offered("CHUNKING")) {
        char *rest;
        unsigned long size = strtoul(l + 5, &rest, 10);
        int last = strcasestr(rest, "LAST") != NULL;
        open_file(c);
        c->chunks = 1;
        if (!chunk(c, size)) return 0;
        if (last) take(c);
        else say(c, "250 2.0.0 Ok\r\n");
    } else say(c, "503 5.5.1 not now\r\n");
    return 1;
}

static void converse(struct client *c)
{
    char *l;
    if (implicit && !begin_tls(c)) return;
    say(c, "220 sink.example ESMTP\r\n");
    while ((l = next_line(c))) {
        if (!strncasecmp(l, "MAIL", 4) || !strncasecmp(l, "RCPT", 4) || !strcasecmp(l, "DATA") ||
            !strncasecmp(l, "BDAT", 4)) {
            if (!transaction(c, l)) return;
        } else if (!strncasecmp(l, "EHLO", 4)) ehlo(c);
        else if (!strncasecmp(l, "HELO", 4)) forget(c), say(c, "250 sink.example\r\n");
        else if (!strcasecmp(l, "RSET")) forget(c), say(c, "250 2.0.0 Ok\r\n");
        else if (!strncasecmp(l, "NOOP", 4)) say(c, "250 2.0.0 Ok\r\n");
        else if (!strncasecmp(l, "AUTH ", 5)) {
            if (!login(c, l)) return;
        } else if (!strcasecmp(l, "STARTTLS") && tls && !c->ssl) {
            say(c, "220 2.0.0 Ready\r\n");
            if (!send_replies(c) || !begin_tls(c)) return;
        } else if (!strcasecmp(l, "XCOUNT")) count(c);
        else if (!strcasecmp(l, "QUIT")) {
            say(c, "221 2.0.0 Bye\r\n");
            return;
        } else say(c, "500 5.5.2 what?\r\n");
    }
}

static void *serve(void *fd)
{
    struct client *c = calloc(1, sizeof *c);
    int one = 1;
    c->fd = (int)(long)fd;
    c->in = malloc(ROOM);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    atomic_fetch_add(&connections, 1);
    converse(c);
    send_replies(c);
    forget(c);
    if (c->ssl) SSL_shutdown(c->ssl), SSL_free(c->ssl);
    close(c->fd);
    free(c->in);
    free(c);
    return NULL;
}

int main(int argc, char **argv)
{
    const char *pem = NULL;
    int option, one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_attr_t detached;
    while ((option = getopt(argc, argv, "x:c:id:")) != -1)
        if (option == 'x') hidden = optarg;
        else if (option == 'c') pem = optarg;
        else if (option == 'i') implicit = 1;
        else if (option == 'd') folder = optarg;
        else return 2;
    signal(SIGPIPE, SIG_IGN);
    if (pem) {
        tls = SSL_CTX_new(TLS_server_method());
        SSL_CTX_set_session_id_context(tls, (const unsigned char *)"sink", 4);
        if (SSL_CTX_use_certificate_chain_file(tls, pem) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls, pem, SSL_FILETYPE_PEM) != 1) return 3;
    }
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&address, size) || listen(listener, 512) ||
        getsockname(listener, (void *)&address, &size)) return 1;
    printf("PORT %d\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && pthread_create(&thread, &detached, serve, (void *)(long)fd)) close(fd);
    }
}
