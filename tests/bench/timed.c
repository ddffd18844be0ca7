/* SPDX-License-Identifier: Apache-2.0 */
/* timed [-b LETTER] RUNS COMMAND... [-- COMMAND...]...: the commands in turn, each so many times.
 *
 * A line a run: INDEX MICROSECONDS STATUS. Without -b it is the time to the end, and the output is
 * thrown away; with it the time to that letter on stdout, and then the command is killed. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 8 };
extern char **environ;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}

static pid_t start(char **command, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, command[0], &actions, NULL, command, environ) != 0) {
        perror(command[0]);
        exit(1);
    }
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* 0 when the letter came, -1 when the output ended without it. */
static int await(int in, char letter)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(in, bytes, sizeof bytes)) > 0)
        if (letter && memchr(bytes, letter, (size_t)got))
            return 0;
    return letter ? -1 : 0;
}

static int run(char **command, char letter, double *took)
{
    int ends[2], status;
    if (pipe2(ends, O_CLOEXEC) != 0)
        exit(1);
    double begin = now_us();
    pid_t pid = start(command, ends[1]);
    close(ends[1]);
    int missing = await(ends[0], letter);
    *took = now_us() - begin;
    if (letter)
        kill(pid, SIGKILL);
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (letter)
        return missing;
    *took = now_us() - begin;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char **argument)
{
    char **commands[COMMANDS], letter = 0;
    int known = 0, first = 1;
    if (count > 2 && strcmp(argument[1], "-b") == 0) {
        letter = argument[2][0];
        first = 3;
    }
    if (count < first + 2)
        return 2;
    commands[known++] = &argument[first + 1];
    for (int i = first + 1; i < count; i++) {
        if (strcmp(argument[i], "--") != 0 || known == COMMANDS)
            continue;
        argument[i] = NULL;
        commands[known++] = &argument[i + 1];
    }
    for (int round = atoi(argument[first]); round > 0; round--) {
        for (int i = 0; i < known; i++) {
            double took;
            int status = run(commands[i], letter, &took);
            printf("%d %.1f %d\n", i, took, status);
            fflush(stdout);
        }
    }
    return 0;
}
