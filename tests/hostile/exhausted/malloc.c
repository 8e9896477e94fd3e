/* malloc(3) and related functions for a test: within a hook they fail at call number MALLOC_FAILS_AT, or from
 * there on. Loaded by LD_PRELOAD. The host marks the start and end of its hooks (tests/lab/src/tracer.rs). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK 0x70616d5f686f6f6bL

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static long fails_at, made;
static int for_ever, everybody, inside;
static const char *sign;
static uintptr_t from, to;

__attribute__((constructor)) static void read_wishes(void)
{
    const char *at = getenv("MALLOC_FAILS_AT");

    fails_at = at ? atol(at) : 0;
    for_ever = getenv("MALLOC_FAILS_FOR_EVER") != NULL;
    everybody = getenv("MALLOC_FAILS_EVERYBODY") != NULL;
    sign = getenv("MALLOC_SIGN");
}

/* Where the module lies. */
static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size, (void)data;
    if (!strstr(info->dlpi_name, "pam_sms_otp"))
        return 0;
    from = UINTPTR_MAX;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        if (start < from)
            from = start;
        if (start + info->dlpi_phdr[i].p_memsz > to)
            to = start + info->dlpi_phdr[i].p_memsz;
    }
    return 1;
}

static int fails(void *caller)
{
    uintptr_t at = (uintptr_t)caller;

    if (!inside || !fails_at || (!everybody && (at < from || at >= to)))
        return 0;
    made++;
    if (made < fails_at || (made > fails_at && !for_ever))
        return 0;
    if (made == fails_at && sign)
        close(open(sign, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    errno = ENOMEM;
    return 1;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    return fails(CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t many, size_t size)
{
    return fails(CALLER) ? NULL : __libc_calloc(many, size);
}

void *realloc(void *place, size_t size)
{
    return fails(CALLER) ? NULL : __libc_realloc(place, size);
}

void *memalign(size_t align, size_t size)
{
    return fails(CALLER) ? NULL : __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return fails(CALLER) ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **place, size_t align, size_t size)
{
    void *got = fails(CALLER) ? NULL : __libc_memalign(align, size);

    if (!got)
        return ENOMEM;
    *place = got;
    return 0;
}

off_t lseek(int fd, off_t offset, int whence)
{
    if (fd == -1 && (offset == MARK || offset == MARK + 1)) {
        if (offset > MARK && !to)
            dl_iterate_phdr(look, NULL);
        inside = offset > MARK;
    }
    return syscall(SYS_lseek, fd, offset, whence);
}
