"""What each thread is dealt of a kernel's chunks: for the functions `loads` of kernels."""


def dealt(sizes, threads, alone=False, by_turns=False):
    """The work of each thread where a static schedule deals chunks of these sizes.

    alone: the first thread does all. by_turns: chunk i goes to thread i % threads; else each
    thread has neighbours, and the first ones one more if the chunks don't divide.

    >>> dealt([1, 2, 3, 4, 5], 3)
    [3, 7, 5]
    """
    team = 1 if alone else threads
    if by_turns:
        found = [sum(sizes[member::team]) for member in range(team)]
    else:
        share, more = divmod(len(sizes), team)
        ends = [member * share + min(member, more) for member in range(team + 1)]
        found = [sum(sizes[first:end]) for first, end in zip(ends, ends[1:])]
    return found + [0] * (threads - team)


def run_loads(sizes, serial_chunks, threads):
    """The work of each thread where run_chunks runs chunks of these sizes."""
    return dealt(sizes, threads, alone=runs_alone(len(sizes), serial_chunks, threads))


def flat_loads(items, size, serial_chunks, threads):
    """The items of each thread where run_flat runs chunks of `size` of them."""
    return run_loads([chunk_size(items, size, chunk) for chunk in range(count_chunks(items, size))],
                     serial_chunks, threads)
