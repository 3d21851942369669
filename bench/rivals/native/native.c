/*
 * What the same work costs in C: the yardstick that no JavaScript library is likely to beat.
 *
 *   native malloc BATCH     malloc, a write, free of 64 bytes; BATCH of them out at a time
 *   native section          FreeBSD's GUS section: load the write hand, exchange it into the slot; clear
 *   native lookup           a section around a lookup among 100,000 records in a chained hash table
 *
 * The second argument is how many milliseconds to measure. Prints best and median in nanoseconds per
 * operation and the number of samples. Compiled by the bench with the system's compiler.
 */

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPERATIONS = 100000, RECORD_BYTES = 64, ENTRIES = 100000, PROBES = 1 << 17, MOST_SAMPLES = 1 << 16 };

struct record {
	struct record *next;
	uint32_t id, population;
	double lat, lon;
};

static _Alignas(128) atomic_uint write_hand = 1;
static _Alignas(128) atomic_uint slot;
static _Atomic(struct record *) chains[1 << 17];
static uint32_t probes[PROBES];
static struct record *held[1024];
static int batch = 1;
static volatile double sink;

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline void enter(void)
{
	atomic_exchange(&slot, atomic_load_explicit(&write_hand, memory_order_acquire));
}

static inline void leave(void)
{
	atomic_store_explicit(&slot, 0, memory_order_release);
}

static uint32_t mix(uint32_t h)
{
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return h ^ (h >> 16);
}

static uint32_t chain_of(uint32_t id) { return mix(id) >> 15; }

static void malloc_loop(void)
{
	for (int i = 0; i < OPERATIONS; i += batch) {
		for (int j = 0; j < batch; j++) {
			held[j] = malloc(RECORD_BYTES);
			held[j]->id = (uint32_t)i;
			/* Nobody may find out that the memory is not needed. */
			__asm__ volatile("" : : "r"(held[j]) : "memory");
		}
		for (int j = 0; j < batch; j++)
			free(held[j]);
	}
}

static void section_loop(void)
{
	for (int i = 0; i < OPERATIONS; i++) {
		enter();
		__asm__ volatile("" : : : "memory");
		leave();
	}
}

static void lookup_loop(void)
{
	static int at;
	double sum = 0;
	for (int i = 0; i < OPERATIONS; i++) {
		uint32_t id = probes[at++ & (PROBES - 1)];
		enter();
		struct record *it = atomic_load_explicit(&chains[chain_of(id)], memory_order_acquire);
		while (it != NULL && it->id != id)
			it = it->next;
		if (it != NULL)
			sum += it->population;
		leave();
	}
	sink = sum;
}

static uint32_t random_bits(void)
{
	static uint32_t state = 0x5eed;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void fill(void)
{
	uint32_t *ids = malloc(ENTRIES * sizeof *ids);
	for (int i = 0; i < ENTRIES; i++) {
		struct record *it = malloc(sizeof *it);
		/* One to one, so no id comes twice. */
		ids[i] = mix((uint32_t)i + 1) >> 1 | 1;
		memset(it, 0, sizeof *it);
		it->id = ids[i];
		it->population = (uint32_t)i;
		it->next = atomic_load(&chains[chain_of(it->id)]);
		atomic_store(&chains[chain_of(it->id)], it);
	}
	for (int i = 0; i < PROBES; i++)
		probes[i] = ids[random_bits() % ENTRIES];
	free(ids);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double samples[MOST_SAMPLES];
	int count = 0;
	void (*loop)(void) = NULL;

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "section") == 0) {
		loop = section_loop;
	} else if (strcmp(argv[1], "lookup") == 0) {
		fill();
		loop = lookup_loop;
	} else if (strcmp(argv[1], "malloc") == 0) {
		batch = argc > 3 ? atoi(argv[3]) : 1;
		loop = malloc_loop;
	}
	if (loop == NULL || batch < 1 || batch > 1024)
		return 2;
	for (int i = 0; i < 20; i++)
		loop();
	double end = now_ns() + atof(argv[2]) * 1e6;
	while (count < MOST_SAMPLES && (count < 5 || now_ns() < end)) {
		double begun = now_ns();
		loop();
		samples[count++] = (now_ns() - begun) / OPERATIONS;
	}
	qsort(samples, (size_t)count, sizeof *samples, ascending);
	printf("%f %f %d\n", samples[0], samples[count / 2], count);
	return 0;
}
