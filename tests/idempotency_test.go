package tests

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

// Clients that send every write again until it is answered 202 make one task for
// each, although the proxy is killed twice while they do.
func TestWritesSentAgainWithTheirKeyAreMadeOnce(t *testing.T) {
	f := fleet.Start(t, fleet.Options{Groups: 2, PerGroup: 1})
	var wg sync.WaitGroup
	var answered atomic.Int64
	const clients, each = 4, 15
	var got [clients][]int64
	for c := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				method, path, body := "POST", docsPath, made(100*c+i, 1)
				if i == each-1 {
					method, path, body = "PATCH", "/indexes/films/settings", fmt.Sprintf(`{"stopWords":["s%d"]}`, c)
				}
				key := fmt.Sprintf("client %d write %d", c, i)
				for limit := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
					a, err := f.Try(method, path, body, "Idempotency-Key", key)
					if err == nil && a.Status == 202 {
						answered.Add(1)
						got[c] = append(got[c], a.TaskUID())
						break
					}
					if time.Now().After(limit) || err == nil && a.Status != 503 {
						t.Errorf("%s: %+v (%v)", key, a, err)
						return
					}
				}
			}
		}()
	}
	for _, n := range []int64{10, 30} {
		fleet.Eventually(t, 60*time.Second, fmt.Sprint(n, " answers"), func() error {
			if got := answered.Load(); got < n && !t.Failed() {
				return fmt.Errorf("only %d", got)
			}
			return nil
		})
		f.Restart(t)
	}
	wg.Wait()
	var all []int64
	for _, uids := range got {
		all = append(all, uids...)
	}
	slices.Sort(all)
	if distinct := len(slices.Compact(slices.Clone(all))); distinct != clients*each || tasks(t, f.API) != clients*each {
		t.Errorf("%d writes got the tasks %v, and there are %d", clients*each, all, tasks(t, f.API))
	}
	again := f.Do(t, "POST", docsPath, made(0, 1), "Idempotency-Key", "client 0 write 0")
	if again.TaskUID() != got[0][0] {
		t.Errorf("again: %d %s, want task %d", again.Status, again.Body, got[0][0])
	}
	if other := f.Do(t, "POST", docsPath, made(1, 1), "Idempotency-Key", "client 0 write 0"); other.Status != 409 || other.Code() != "miroir_idempotency_key_reused" {
		t.Errorf("another request with the key: %d %s", other.Status, other.Body)
	}
}
