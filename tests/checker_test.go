package tests

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/checker"
	"github.com/miroir-search/miroir/tests/fleet"
)

// faults are what Miroir must survive. Real nodes cannot be told to fail a task.
var faults = []checker.Fault{checker.Kill, checker.Freeze, checker.Restart, checker.Cut, checker.Mute, checker.Stuck, checker.Slow, checker.Fail, checker.Wipe}

// Writers record their calls while nodes and the proxy are killed, frozen and cut
// off; at the end everything is as one node would have it.
func TestRecordedHistories(t *testing.T) {
	count := uint64(3)
	if long() {
		count = 200
	}
	recordedHistories(t, count, checker.Options{Faults: faults})
}

// The same with real nodes.
func TestRecordedHistoriesOverRealNodes(t *testing.T) {
	bin := fleet.RealBinary(t)
	if !long() {
		t.Skip("MIROIR_LONG is not set: histories are recorded over embedded nodes only")
	}
	possible := slices.DeleteFunc(slices.Clone(faults), func(f checker.Fault) bool { return f == checker.Fail })
	recordedHistories(t, 20, checker.Options{Faults: possible, Real: bin})
}

// seeds are those from 1 on, or those that MIROIR_SEED names: 17, or 17-40.
func seeds(t *testing.T, count uint64) (first, last uint64) {
	t.Helper()
	text := os.Getenv("MIROIR_SEED")
	if text == "" {
		return 1, count
	}
	from, to, several := strings.Cut(text, "-")
	if !several {
		to = from
	}
	first, err := strconv.ParseUint(from, 10, 64)
	if err == nil {
		last, err = strconv.ParseUint(to, 10, 64)
	}
	if err != nil {
		t.Fatalf("MIROIR_SEED: %v", err)
	}
	return first, last
}

// recordedHistories runs seeds, a few at a time, and prints the ledger.
func recordedHistories(t *testing.T, count uint64, o checker.Options) {
	first, last := seeds(t, count)
	var mu sync.Mutex
	var sum checker.Ledger
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed <= last; seed++ {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				rep := checker.Run(t, seed, o)
				mu.Lock()
				defer mu.Unlock()
				sum.Add(rep.Ledger)
				if len(rep.Violations) > 0 {
					t.Errorf("%s", rep)
					return
				}
				t.Log(rep.Plan)
			})
		}
	})
	t.Log(sum)
}

// Twenty clients write the same hundred documents, without any fault.
func TestTwentyClientsWriteTheSameDocuments(t *testing.T) {
	length := 3 * time.Second
	if long() {
		length = 30 * time.Second
	}
	twentyClients(t, length, "")
}

// The same with real nodes.
func TestTwentyClientsWriteTheSameDocumentsOverRealNodes(t *testing.T) {
	bin := fleet.RealBinary(t)
	if !long() {
		t.Skip("MIROIR_LONG is not set: twenty clients write to embedded nodes only")
	}
	twentyClients(t, 30*time.Second, bin)
}

func twentyClients(t *testing.T, length time.Duration, real string) {
	t.Helper()
	p := &checker.Plan{Groups: 2, PerGroup: 2, Replicas: 1, Writers: 20, Documents: 100, Length: length, Calm: true}
	rep := checker.RunPlan(t, p, checker.Options{Real: real})
	if len(rep.Violations) > 0 {
		t.Errorf("%s", rep)
	}
	if rep.Ledger.Acknowledged == 0 {
		t.Error("no write was acknowledged")
	}
	t.Log(rep.Ledger)
}

// weakenedSeeds is how many seeds may pass before a weakened Miroir is found out.
const weakenedSeeds = 20

// A Miroir that does not replay missed writes, disorders them, or does not rebuild
// what it should, is found out.
// With MIROIR_LONG, because it takes a while until fate strikes.
func TestHistoriesShowWhatIsWeakened(t *testing.T) {
	if !long() {
		t.Skip("MIROIR_LONG is not set: weakened builds are not run")
	}
	for _, weaken := range []string{"replay", "ordering", "rebuild"} {
		t.Run(weaken, func(t *testing.T) {
			for seed := uint64(1); seed <= weakenedSeeds; seed++ {
				if rep := checker.Run(t, seed, checker.Options{Faults: faults, Weaken: weaken}); len(rep.Violations) > 0 {
					t.Logf("without %s seed %d shows: %s", weaken, seed, rep.Violations[0])
					_ = os.RemoveAll(rep.Dir) // it was to be expected
					return
				}
			}
			t.Errorf("%d seeds pass without %s", weakenedSeeds, weaken)
		})
	}
}
