/* The order in which rows are merged: that of their keys, so that neighbours of the index follow each other. A rating's key has the
   seller before the tenant: sellers differ, so that one comparison tells them apart. */
#include <stdlib.h>

#include "workers/checkpoint.h"

static int compare_ratings(const void *left_row, const void *right_row) {
    const struct ampel_rating_row *left = left_row, *right = right_row;
    int order = ampel_text_compare(left->seller, right->seller);
    if (order == 0) order = ampel_text_compare(left->tenant, right->tenant);
    if (order == 0) order = ampel_text_compare(left->marketplace, right->marketplace);
    return order;
}

static int compare_pages(const void *left_page, const void *right_page) {
    const struct ampel_loaded_page *left = left_page, *right = right_page;
    return (left->page > right->page) - (left->page < right->page);
}

/* qsort takes no array that is not there. */
static void sort(void *rows, uint32_t count, size_t size, int (*compare)(const void *, const void *)) {
    if (count > 1) qsort(rows, count, size, compare);
}

void ampel_checkpoint_sort(struct ampel_checkpoint *checkpoint) {
    sort(checkpoint->pages, checkpoint->pages_count, sizeof(checkpoint->pages[0]), compare_pages);
    sort(checkpoint->ratings, checkpoint->ratings_count, sizeof(checkpoint->ratings[0]), compare_ratings);
}
