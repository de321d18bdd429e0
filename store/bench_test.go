package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

var benchPayload = make([]byte, 1000)

func benchWrite(b *testing.B, s Store, n int) {
	ref, err := s.Journal().Append(benchPayload)
	if err == nil {
		err = s.Commit(context.Background(), write(n, ref))
	}
	if err != nil {
		b.Error(err)
	}
}

// BenchmarkCommit compares 64 writers who share fsyncs with one fsync per
// write, in rounds that take turns on the same disk: the typical write is one
// payload of 1 KB, one task, one entry and four deliveries.
func BenchmarkCommit(b *testing.B) {
	s := openT(b, Options{Dir: b.TempDir()})
	f, err := os.Create(filepath.Join(b.TempDir(), "baseline"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a scratch file
	var n atomic.Int64
	var plain, single, grouped, singleCPU, groupedCPU time.Duration
	var singles, groups int
	for b.Loop() {
		start := time.Now()
		for range 20 {
			if _, err := f.Write(benchPayload); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		plain += time.Since(start)

		start, cpu := time.Now(), cpuTime()
		for range 20 {
			benchWrite(b, s, int(n.Add(1)))
			singles++
		}
		single += time.Since(start)
		singleCPU += cpuTime() - cpu

		start, cpu = time.Now(), cpuTime()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range 20 {
					benchWrite(b, s, int(n.Add(1)))
				}
			})
		}
		wg.Wait()
		groups += 64 * 20
		grouped += time.Since(start)
		groupedCPU += cpuTime() - cpu
	}
	perWrite := single / time.Duration(singles)
	perGrouped := grouped / time.Duration(groups)
	b.ReportMetric(float64(plain)/float64(b.N*20)/1e3, "µs/fsync")
	b.ReportMetric(float64(perWrite)/1e3, "µs/single")
	b.ReportMetric(float64(perGrouped)/1e3, "µs/grouped")
	b.ReportMetric(float64(singleCPU)/float64(singles)/1e3, "cpu-µs/single")
	b.ReportMetric(float64(groupedCPU)/float64(groups)/1e3, "cpu-µs/grouped")
	b.ReportMetric(float64(perWrite)/float64(perGrouped), "x-single")
	b.ReportMetric(float64(plain)/float64(b.N*20)/float64(perGrouped), "x-fsync")
}

// history fills a store with so many tasks of 50 indexes: every fourth failed, every
// hundredth canceled.
func history(tb testing.TB, total int) *disk {
	tb.Helper()
	s := memory(tb, Options{})
	statuses := []string{"succeeded", "succeeded", "succeeded", "failed"}
	types := []string{"documentAdditionOrUpdate", "documentDeletion", "settingsUpdate"}
	for at := 0; at < total; {
		batch := &Batch{}
		for ; len(batch.Tasks) < 10_000 && at < total; at++ {
			t := newTask(at)
			t.IndexUID, t.Status, t.Type = fmt.Sprintf("index-%d", at%50), statuses[at%4], types[at/7%3]
			t.EnqueuedAt = t0.Add(time.Duration(at) * time.Second)
			t.StartedAt, t.FinishedAt = t.EnqueuedAt.Add(time.Second), t.EnqueuedAt.Add(2*time.Second)
			if at%100 == 1 {
				by := int64(at - 1)
				t.Status, t.CanceledBy = "canceled", &by
			}
			batch.Tasks = append(batch.Tasks, t)
		}
		commitT(tb, s, batch)
	}
	return s
}

// pages are the listings that a history of total tasks is asked for; nil stands for
// a single task.
func pages(total int) map[string]*TaskQuery {
	middle, last := int64(total/2), int64(19)
	return map[string]*TaskQuery{
		"newest":         {},
		"middle":         {From: &middle},
		"last page":      {From: &last},
		"oldest":         {Reverse: true},
		"status":         {Statuses: []string{"failed"}},
		"rare status":    {Statuses: []string{"canceled"}},
		"unfinished":     {Statuses: []string{"enqueued", "processing"}},
		"type":           {Types: []string{"settingsUpdate"}},
		"index":          {IndexUIDs: []string{"index-7"}, From: &middle},
		"index, last":    {IndexUIDs: []string{"index-7"}, From: &last},
		"index+status":   {IndexUIDs: []string{"index-7"}, Statuses: []string{"failed"}},
		"old":            {BeforeEnqueued: t0.Add(time.Hour)},
		"recent":         {AfterFinishedAt: t0.Add(time.Duration(total-1000) * time.Second)},
		"all dates":      {AfterFinishedAt: t0},
		"status+dates":   {AfterFinishedAt: t0, Statuses: []string{"failed"}},
		"index+dates":    {AfterFinishedAt: t0, IndexUIDs: []string{"index-7"}},
		"a few by uid":   {UIDs: []int64{1, 5, middle}},
		"by cancelation": {CanceledBy: []int64{0, middle}},
		"by batch":       {BatchUIDs: []int64{0, 4, middle}},
		"allowed":        {AllowedIndexes: []string{"index-1*"}},
		"single task":    nil,
	}
}

func turn(s Store, q *TaskQuery, middle int64) error {
	var err error
	if q == nil {
		_, err = s.Task(context.Background(), middle)
	} else {
		q.Limit = 20
		_, err = s.Tasks(context.Background(), q)
	}
	return err
}

// BenchmarkTasks pages through a history of a million tasks (fewer with -short).
func BenchmarkTasks(b *testing.B) {
	total := 1_000_000
	if testing.Short() {
		total = 20_000
	}
	s := history(b, total)
	for name, q := range pages(total) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := turn(s, q, int64(total/2)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// No kind of page needs long, of a million tasks with MIROIR_LONG. The medians of a
// few turns are logged; the bound is only for what would be hopeless.
func TestPagesOfAMillionTasksAreQuick(t *testing.T) {
	total := 1_000_000
	if os.Getenv("MIROIR_LONG") == "" {
		total = 20_000
	}
	s := history(t, total)
	for name, q := range pages(total) {
		var took []time.Duration
		for range 5 {
			start := time.Now()
			if err := turn(s, q, int64(total/2)); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		t.Logf("%-15s %v", name, took[2].Round(10*time.Microsecond))
		if took[2] > 10*time.Second {
			t.Errorf("%s takes %v of %d tasks", name, took[2], total)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	s := memory(b, Options{})
	for _, size := range []int{1 << 10, 100 << 10, 10 << 20} {
		ref, err := s.Journal().Append(make([]byte, size))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%d KiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				_, release, err := s.Journal().Read(ref)
				if err != nil {
					b.Fatal(err)
				}
				release()
			}
		})
	}
}
