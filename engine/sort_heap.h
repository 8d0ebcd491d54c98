/* Sorting in place by any order, made anew in each file that includes it: the engine has no callbacks, and a comparison that is
   not inlined would cost more than the sorting. Once a file, behind

       #define SORT_TYPE             what is sorted
       #define SORT_BEFORE(a, b)     whether *a comes before *b; it may look at `context`, the last argument

   it gives sort_heap. What is neither before nor behind comes in any order. Without recursion. Cost: O(n log n). */
#ifdef SORT_TYPE

static void sort_sink(SORT_TYPE *items, uint32_t place, uint32_t count, const void *context) {
    const SORT_TYPE item = items[place];
    (void)context;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= count) break;
        if (child + 1 < count && SORT_BEFORE(&items[child], &items[child + 1])) child++;
        if (!SORT_BEFORE(&item, &items[child])) break;
        items[place] = items[child];
        place = child;
    }
    items[place] = item;
}

static void sort_heap(SORT_TYPE *items, uint32_t count, const void *context) {
    for (uint32_t i = count / 2; i > 0; i--)
        sort_sink(items, i - 1, count, context);
    for (uint32_t i = count; i > 1; i--) {
        const SORT_TYPE last = items[0];
        items[0] = items[i - 1];
        items[i - 1] = last;
        sort_sink(items, 0, i - 1, context);
    }
}

#endif
