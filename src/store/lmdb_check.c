#include "store/lmdb_check.h"

#include "cvtpm/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* LMDB 0.9, mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node. */
#define PAGE_HEADER_SIZE 16
#define PAGE_BRANCH      0x01
#define PAGE_LEAF        0x02
#define PAGE_OVERFLOW    0x04
#define PAGE_META        0x08
#define META_SIZE        136
#define META_MAGIC       0xBEEFC0DEu
#define META_VERSION     1
#define NODE_HEADER_SIZE 8
#define NODE_BIG_DATA    0x01
#define DB_INTEGER_KEY   0x08
#define DB_KEY_FLAGS     0x7f
#define NO_PAGE          UINT64_MAX

/* Limits of ours. */
#define MAX_DEPTH 16
#define MAX_PAGES ((uint64_t)1 << 20)

struct tree {
	uint16_t flags, depth;
	uint64_t root;
};

struct meta {
	uint32_t page_size;
	struct tree free, main;
	uint64_t last_page, txn;
};

struct check {
	int fd;
	uint64_t file_size;
	struct meta meta;
	uint8_t *used; /* a bit for each page */
	const char *what;
};

static uint16_t u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t u64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static int damaged(struct check *c, const char *what)
{
	c->what = what;
	return CVTPM_ERR_FORMAT;
}

static int read_at(struct check *c, uint8_t *out, size_t len, uint64_t offset)
{
	ssize_t got = pread(c->fd, out, len, (off_t)offset);

	if (got < 0)
		return CVTPM_ERR_IO;
	return (size_t)got == len ? 0 : damaged(c, "it is truncated");
}

static struct tree tree_at(const uint8_t *p)
{
	return (struct tree){
		.flags = u16_at(p + 4), .depth = u16_at(p + 6), .root = u64_at(p + 40)};
}

static int meta_read(struct check *c, uint64_t offset, struct meta *meta)
{
	uint8_t bytes[PAGE_HEADER_SIZE + META_SIZE], *m = bytes + PAGE_HEADER_SIZE;

	CVTPM_TRY(read_at(c, bytes, sizeof bytes, offset));
	if (u16_at(bytes + 10) != PAGE_META || u32_at(m) != META_MAGIC ||
	    u32_at(m + 4) != META_VERSION)
		return damaged(c, "it is not an LMDB file");
	*meta = (struct meta){
		.page_size = u32_at(m + 24),
		.free = tree_at(m + 24),
		.main = tree_at(m + 72),
		.last_page = u64_at(m + 120),
		.txn = u64_at(m + 128),
	};
	if (meta->page_size != (uint32_t)sysconf(_SC_PAGESIZE))
		return damaged(c, "its page size is not this machine's");
	if (meta->last_page < 1 || meta->last_page >= MAX_PAGES)
		return damaged(c, "a meta page is damaged");
	if ((meta->free.flags & DB_KEY_FLAGS) != DB_INTEGER_KEY || meta->main.flags != 0)
		return damaged(c, "a meta page is damaged");
	return 0;
}

/* Claims `count` pages from `page` on; each page has one use. */
static int pages_claim(struct check *c, uint64_t page, uint64_t count, bool must_exist)
{
	uint64_t end = page + count;

	if (page < 2 || count == 0 || count > MAX_PAGES || page > c->meta.last_page ||
	    end > c->meta.last_page + 1)
		return damaged(c, "a page number is out of range");
	if (must_exist && end * c->meta.page_size > c->file_size)
		return damaged(c, "it is truncated");
	for (; page < end; page++) {
		uint8_t bit = (uint8_t)(1u << (page % 8));

		if (c->used[page / 8] & bit)
			return damaged(c, "a page is used twice");
		c->used[page / 8] |= bit;
	}
	return 0;
}

/* A record of the free list: a count, and so many page numbers in descending order. */
static int free_list_check(struct check *c, const uint8_t *data, size_t len)
{
	uint64_t count, before = NO_PAGE;

	if (len < 8 || len % 8 != 0)
		return damaged(c, "the free list is damaged");
	count = u64_at(data);
	if (count > len / 8 - 1)
		return damaged(c, "the free list is damaged");
	for (uint64_t i = 1; i <= count; i++) {
		uint64_t page = u64_at(data + 8 * i);

		if (page >= before)
			return damaged(c, "the free list is damaged");
		CVTPM_TRY(pages_claim(c, page, 1, false));
		before = page;
	}
	return 0;
}

static int free_list_read(struct check *c, uint64_t offset, size_t len)
{
	uint8_t *data = malloc(len);
	int err;

	if (!data)
		return CVTPM_ERR_NO_MEMORY;
	err = read_at(c, data, len, offset);
	if (err == 0)
		err = free_list_check(c, data, len);
	free(data);
	return err;
}

/* A value too long for its leaf, on pages of its own. */
static int big_data_check(struct check *c, bool is_free_list, uint64_t page, size_t len)
{
	uint8_t header[PAGE_HEADER_SIZE];
	uint64_t size = c->meta.page_size, need = (PAGE_HEADER_SIZE - 1 + len) / size + 1;

	if (page < 2 || page > c->meta.last_page)
		return damaged(c, "a page number is out of range");
	CVTPM_TRY(read_at(c, header, sizeof header, page * size));
	if (u64_at(header) != page || u16_at(header + 10) != PAGE_OVERFLOW ||
	    u32_at(header + 12) < need)
		return damaged(c, "a page of a long value is damaged");
	CVTPM_TRY(pages_claim(c, page, u32_at(header + 12), false));
	if ((page + need) * size > c->file_size)
		return damaged(c, "it is truncated");
	return is_free_list ? free_list_read(c, page * size + PAGE_HEADER_SIZE, len) : 0;
}

static int leaf_node_check(struct check *c, bool is_free_list, const uint8_t *node, size_t room)
{
	size_t len = u16_at(node) | (size_t)u16_at(node + 2) << 16;
	uint16_t flags = u16_at(node + 4);
	size_t key_len = u16_at(node + 6), held = flags & NODE_BIG_DATA ? 8 : len;
	const uint8_t *data = node + NODE_HEADER_SIZE + key_len;

	if ((flags & ~NODE_BIG_DATA) != 0 || key_len == 0 || key_len > 511 ||
	    NODE_HEADER_SIZE + key_len > room || held > room - NODE_HEADER_SIZE - key_len)
		return damaged(c, "a node is damaged");
	if (is_free_list && key_len != 8)
		return damaged(c, "the free list is damaged");
	if (flags & NODE_BIG_DATA)
		return big_data_check(c, is_free_list, u64_at(data), len);
	return is_free_list ? free_list_check(c, data, len) : 0;
}

static int page_check(struct check *c, bool is_free_list, uint64_t page, unsigned levels);

static int branch_node_check(struct check *c, bool is_free_list, const uint8_t *node, size_t room,
			     unsigned levels)
{
	uint64_t child =
		u16_at(node) | (uint64_t)u16_at(node + 2) << 16 | (uint64_t)u16_at(node + 4) << 32;
	uint16_t key_len = u16_at(node + 6);

	if (key_len > 511 || NODE_HEADER_SIZE + (size_t)key_len > room)
		return damaged(c, "a node is damaged");
	return page_check(c, is_free_list, child, levels - 1);
}

static int nodes_check(struct check *c, bool is_free_list, const uint8_t *bytes, unsigned levels)
{
	size_t lower = u16_at(bytes + 12), upper = u16_at(bytes + 14), size = c->meta.page_size;

	if (lower <= PAGE_HEADER_SIZE || lower % 2 != 0 || lower > upper || upper > size)
		return damaged(c, "a page is damaged");
	if (levels > 1 && lower < PAGE_HEADER_SIZE + 4)
		return damaged(c, "a page is damaged");
	for (size_t at = PAGE_HEADER_SIZE; at < lower; at += 2) {
		size_t node = u16_at(bytes + at);

		if (node < upper || node % 2 != 0 || node + NODE_HEADER_SIZE > size)
			return damaged(c, "a node is out of its page");
		if (levels > 1)
			CVTPM_TRY(branch_node_check(c, is_free_list, bytes + node, size - node,
						    levels));
		else
			CVTPM_TRY(leaf_node_check(c, is_free_list, bytes + node, size - node));
	}
	return 0;
}

/* The page and what is below it; `levels` 1 is a leaf. */
static int page_check(struct check *c, bool is_free_list, uint64_t page, unsigned levels)
{
	uint8_t *bytes;
	int err;

	CVTPM_TRY(pages_claim(c, page, 1, true));
	bytes = malloc(c->meta.page_size);
	if (!bytes)
		return CVTPM_ERR_NO_MEMORY;
	err = read_at(c, bytes, c->meta.page_size, page * c->meta.page_size);
	if (err == 0 &&
	    (u64_at(bytes) != page || u16_at(bytes + 10) != (levels > 1 ? PAGE_BRANCH : PAGE_LEAF)))
		err = damaged(c, "a page is damaged");
	if (err == 0)
		err = nodes_check(c, is_free_list, bytes, levels);
	free(bytes);
	return err;
}

static int tree_check(struct check *c, bool is_free_list, const struct tree *tree)
{
	if (tree->root == NO_PAGE)
		return tree->depth == 0 ? 0 : damaged(c, "a meta page is damaged");
	if (tree->depth < 1 || tree->depth > MAX_DEPTH)
		return damaged(c, "a meta page is damaged");
	return page_check(c, is_free_list, tree->root, tree->depth);
}

static int file_check(struct check *c)
{
	struct meta other;
	struct stat st;

	if (fstat(c->fd, &st) != 0)
		return CVTPM_ERR_IO;
	c->file_size = (uint64_t)st.st_size;
	CVTPM_TRY(meta_read(c, 0, &c->meta));
	CVTPM_TRY(meta_read(c, c->meta.page_size, &other));
	if (other.txn > c->meta.txn)
		c->meta = other;

	c->used = calloc(1, (size_t)c->meta.last_page / 8 + 1);
	if (!c->used)
		return CVTPM_ERR_NO_MEMORY;
	CVTPM_TRY(tree_check(c, false, &c->meta.main));
	return tree_check(c, true, &c->meta.free);
}

int lmdb_check(int fd, const char **what)
{
	struct check c = {.fd = fd, .what = ""};
	int err = file_check(&c);

	free(c.used);
	*what = c.what;
	return err;
}
