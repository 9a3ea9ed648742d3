// Package riverjobs brings tasks to workers through River, in the same database
// as everything else: a task is inserted in the transaction of its unit of
// work, so it is there if and only if what it is about is there too.
//
// The queue only makes work begin soon. Whether there is anything left to do is
// for the rows of jobs and partitions to say: a task may be lost, doubled
// or late, and nothing but time is lost. So River's own timeouts and rescues
// play no part in what is right.
package riverjobs
