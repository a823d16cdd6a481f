/* The floor of media: what RTP costs in C with the same sockets, tick and calls as sipswarm's media engine.
 *
 * usage: media_floor send|echo STREAMS SECONDS BASE_PORT PEER_BASE_PORT TICK_MS
 *
 * As many UDP sockets as streams, each bound to its own port (BASE_PORT + 2 * i) of 127.0.0.77, one epoll, one absolute
 * tick. "send": 50 packets of 172 octets a second and stream, spread over the interval, and everything that comes is
 * received (sendto, recvfrom). "echo": everything that comes is sent back. Prints one line of JSON:
 * packets sent and received, CPU seconds (user + system).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define PACKET 172
#define INTERVAL_MS 20
#define EVENTS 4096

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static struct sockaddr_in address(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 76); /* an address of its own: no port is taken */
    return a;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: media_floor send|echo STREAMS SECONDS BASE_PORT PEER_BASE_PORT TICK_MS\n");
        return 2;
    }
    int sending = !strcmp(argv[1], "send");
    int streams = atoi(argv[2]);
    double seconds = atof(argv[3]);
    int base = atoi(argv[4]), peer = atoi(argv[5]), tick_ms = atoi(argv[6]);
    int phases = INTERVAL_MS / tick_ms;
    int *sockets = calloc(streams, sizeof *sockets);
    struct sockaddr_in *peers = calloc(streams, sizeof *peers);
    uint32_t *stamps = calloc(streams, sizeof *stamps);
    uint16_t *sequence = calloc(streams, sizeof *sequence);
    int epoll = epoll_create1(0);
    for (int i = 0; i < streams; i++) {
        sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        struct sockaddr_in own = address(base + 2 * i);
        if (sockets[i] < 0 || bind(sockets[i], (void *)&own, sizeof own)) {
            perror("bind");
            return 1;
        }
        peers[i] = address(peer + 2 * i);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event);
    }
    static struct epoll_event events[EVENTS];
    static unsigned char in[2048], out[PACKET];
    out[0] = 0x80;
    memset(out + 12, 0xff, PACKET - 12);
    long sent = 0, received = 0, tick = 0;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double before = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    double start = now(), grace = sending ? 0.5 : 1.5;
    while (1) {
        double t = now();
        if (t - start > seconds + grace) break;
        double due = start + tick * tick_ms / 1000.0;
        if (due > t) {
            struct timespec until;
            until.tv_sec = (time_t)due;
            until.tv_nsec = (long)((due - (time_t)due) * 1e9);
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        }
        if (sending && t - start <= seconds) {
            for (int i = tick % phases; i < streams; i += phases) {
                sequence[i]++;
                stamps[i] += 160;
                out[2] = sequence[i] >> 8, out[3] = sequence[i];
                uint32_t stamp = htonl(stamps[i]), ssrc = htonl(i);
                memcpy(out + 4, &stamp, 4);
                memcpy(out + 8, &ssrc, 4);
                if (sendto(sockets[i], out, PACKET, 0, (void *)&peers[i], sizeof peers[i]) == PACKET) sent++;
            }
        }
        int count = epoll_wait(epoll, events, EVENTS, 0);
        for (int e = 0; e < count; e++) {
            int i = events[e].data.u32;
            struct sockaddr_in from;
            socklen_t length = sizeof from;
            ssize_t size = recvfrom(sockets[i], in, sizeof in, 0, (void *)&from, &length);
            if (size < 12) continue;
            received++;
            if (!sending && sendto(sockets[i], in, size, 0, (void *)&from, length) == size) sent++;
        }
        tick++;
    }
    getrusage(RUSAGE_SELF, &usage);
    double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"sent\": %ld, \"received\": %ld, \"cpu\": %.6f}\n", sent, received, cpu - before);
    return 0;
}
