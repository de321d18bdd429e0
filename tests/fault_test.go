package tests

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

func TestAWriteGoesOnWithOneGroupAndSaysSo(t *testing.T) {
	f := fleet.Start(t, fleet.Options{})
	f.Write(t, "POST", docsPath, made(0, 50))
	for _, n := range f.Group(1) {
		n.Kill()
	}
	for i, when := range []string{"before Miroir knows", "when Miroir knows"} {
		a := f.Write(t, "POST", docsPath, made(100+50*i, 50))
		if a.Status != 202 || !strings.HasPrefix(a.Degraded(), "groups=1; shards=") {
			t.Errorf("%s: %d, X-Miroir-Degraded %q", when, a.Status, a.Degraded())
		}
		if i == 0 {
			f.WaitState(t, "b0", "broken")
			f.WaitState(t, "b1", "broken")
		}
	}
	var p page
	a := f.Post(t, searchPath, `{"q":"shared","limit":0}`, &p)
	if p.EstimatedTotalHits != 150 || a.Degraded() != "" {
		t.Errorf("%d documents found, degraded %q", p.EstimatedTotalHits, a.Degraded())
	}
	for _, n := range f.Group(1) {
		n.Start(t)
	}
	f.WaitState(t, "b0", "ready")
	f.WaitState(t, "b1", "ready")
	if a := f.Write(t, "POST", docsPath, made(200, 50)); a.Degraded() != "" {
		t.Errorf("a healthy fleet is called degraded: %s", a.Degraded())
	}
	sum := 0
	for _, n := range f.Group(1) {
		sum += documentsOf(t, n)
	}
	if sum != 200 {
		t.Errorf("the group that was away holds %d documents, want 200", sum)
	}
}

func TestAWriteThatNoGroupCanTakeIsRefused(t *testing.T) {
	f := fleet.Start(t, fleet.Options{Groups: 1, PerGroup: 2, Replicas: 2})
	f.Write(t, "POST", docsPath, made(0, 20))
	f.Node(t, "a1").Kill()
	f.WaitState(t, "a1", "broken")
	before := tasks(t, f.API)
	for _, q := range [][3]string{{"POST", docsPath, made(100, 5)}, {"DELETE", docsPath + "/1", ""}, {"PATCH", "/indexes/films/settings", `{"stopWords":["a"]}`}, {"POST", "/indexes", `{"uid":"other"}`}} {
		a := f.Do(t, q[0], q[1], q[2])
		if a.Status != 503 || a.Code() != "miroir_no_quorum" || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s: %d %s", q[0], q[1], a.Status, a.Body)
		}
	}
	if after := tasks(t, f.API); after != before {
		t.Errorf("refused writes made %d tasks", after-before)
	}
	var p page
	if f.Post(t, searchPath, `{"q":"shared"}`, &p); p.EstimatedTotalHits != 20 {
		t.Errorf("reads find %d documents, want 20", p.EstimatedTotalHits)
	}
	f.Node(t, "a1").Start(t)
	f.WaitState(t, "a1", "ready")
	f.Write(t, "POST", docsPath, made(100, 5))
}

func tasks(t *testing.T, s fleet.API) int {
	t.Helper()
	var list struct{ Total int }
	s.Get(t, "/tasks?limit=1", &list)
	return list.Total
}

// Readers never see that nodes die and come back, one at a time.
func TestAKilledNodeIsInvisibleToReaders(t *testing.T) {
	f := fleet.Start(t, fleet.Options{})
	const n = 400
	f.Write(t, "PATCH", "/indexes/films/settings", `{"filterableAttributes":["genre"]}`)
	f.Write(t, "POST", docsPath, made(0, n))
	var stop atomic.Bool
	var reads atomic.Int64
	var readers sync.WaitGroup
	for r := range 4 {
		readers.Go(func() {
			for i := r; !stop.Load(); i += 4 {
				if err := oneRead(f.API, i%n, n); err != nil {
					t.Errorf("read %d: %v", i, err)
					return
				}
				reads.Add(1)
			}
		})
	}
	defer readers.Wait()
	defer stop.Store(true)
	for _, id := range []string{"a0", "b1"} {
		before := reads.Load()
		node := f.Node(t, id)
		node.Kill()
		f.WaitState(t, id, "broken")
		fleet.Eventually(t, 20*time.Second, "reads without "+id, func() error {
			if now := reads.Load(); now < before+100 {
				return fmt.Errorf("%d reads", now-before)
			}
			return nil
		})
		node.Start(t)
		f.WaitState(t, id, "ready")
	}
}

// oneRead searches, counts and fetches; every answer must be complete.
func oneRead(s fleet.API, id, n int) error {
	for _, q := range []struct{ method, path, body, want string }{
		{"POST", searchPath, fmt.Sprintf(`{"q":"\"%s\""}`, ownWord(id)), `"estimatedTotalHits":1`},
		{"POST", searchPath, `{"q":"","facets":["genre"],"limit":3}`, fmt.Sprintf(`"facetDistribution":{"genre":{"g0":%d,"g1":%d,"g2":%d,"g3":%d}}`, n/4, n/4, n/4, n/4)},
		{"GET", fmt.Sprintf("%s/%d", docsPath, id), "", ownWord(id)},
		{"GET", docsPath + "?limit=1", "", fmt.Sprintf(`"total":%d`, n)},
	} {
		a, err := s.Try(q.method, q.path, q.body)
		if err != nil {
			return err
		}
		if a.Status != 200 || !strings.Contains(string(a.Body), q.want) || a.Degraded() != "" {
			return fmt.Errorf("%s %s: %d %s (degraded %q)", q.method, q.path, a.Status, a.Body, a.Degraded())
		}
	}
	return nil
}

// A frozen node answers nothing and closes nothing; readers wait a moment at most.
func TestAFrozenNodeFailsNoRead(t *testing.T) {
	f := fleet.Start(t, fleet.Options{})
	const n = 100
	f.Write(t, "PATCH", "/indexes/films/settings", `{"filterableAttributes":["genre"]}`)
	f.Write(t, "POST", docsPath, made(0, n))
	f.Node(t, "a1").Freeze(t)
	defer f.Node(t, "a1").Thaw(t)
	for i := range 30 {
		if err := oneRead(f.API, i, n); err != nil {
			t.Fatalf("read %d: %v", i, err)
		}
	}
}

// How long a write may take is a setting.
func TestAWriteIsAnsweredByItsDeadline(t *testing.T) {
	f := fleet.Start(t, fleet.Options{Groups: 1, PerGroup: 1, Lines: "limits: {write_deadline: 1s, node_write_timeout: 500ms}\n"})
	f.Write(t, "POST", docsPath, made(0, 10))
	f.Node(t, "a0").Freeze(t)
	defer f.Node(t, "a0").Thaw(t)
	began := time.Now()
	a := f.Do(t, "POST", docsPath, made(10, 10))
	if took := time.Since(began); a.Status != 503 || a.Code() != "miroir_no_quorum" || took > 10*time.Second {
		t.Errorf("a write to a frozen node: %d %s after %v", a.Status, a.Body, took)
	}
}

// Whatever was answered 202 is there after the proxy was killed at that moment.
func TestKillingTheProxyLosesNothing(t *testing.T) {
	f := fleet.Start(t, fleet.Options{})
	var taken []int64
	for round := range 3 {
		a := f.Do(t, "POST", docsPath, made(round*100, 100))
		f.Kill()
		if a.Status != 202 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		taken = append(taken, a.TaskUID())
		f.Proxy.Start(t)
	}
	for _, uid := range taken {
		f.Succeeded(t, uid)
	}
	checkAll(t, f, 300)
}

// The same while several clients write and a node is away: the journal has
// what the node has not.
func TestKillingTheProxyUnderWritesWithANodeAway(t *testing.T) {
	f := fleet.Start(t, fleet.Options{})
	f.Write(t, "POST", docsPath, made(0, 10))
	f.Node(t, "b0").Kill()
	var mu sync.Mutex
	taken := map[int64]int{} // task -> first id
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 50 {
				first := 1000*(w+1) + 10*i
				a, err := f.Try("POST", docsPath, made(first, 10))
				if err != nil {
					return // the proxy is dead
				}
				if a.Status == 202 {
					mu.Lock()
					taken[a.TaskUID()] = first
					mu.Unlock()
				}
			}
		})
	}
	fleet.Eventually(t, 20*time.Second, "some writes", func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(taken) < 12 {
			return fmt.Errorf("%d writes", len(taken))
		}
		return nil
	})
	f.Kill()
	writers.Wait()
	f.Node(t, "b0").Start(t)
	f.Proxy.Start(t)
	for uid := range taken {
		f.Succeeded(t, uid)
	}
	f.WaitState(t, "b0", "ready")
	for _, n := range f.Group(0) {
		n.Kill() // what group 1 has must be everything
	}
	for _, first := range taken {
		for i := first; i < first+10; i++ {
			if a := f.Do(t, "GET", fmt.Sprintf("%s/%d", docsPath, i), ""); a.Status != 200 {
				t.Fatalf("document %d: %d %s", i, a.Status, a.Body)
			}
		}
	}
}

func checkAll(t *testing.T, f *fleet.Fleet, n int) {
	t.Helper()
	for i := range n {
		if a := f.Do(t, "GET", fmt.Sprintf("%s/%d", docsPath, i), ""); a.Status != 200 {
			t.Fatalf("document %d: %d %s", i, a.Status, a.Body)
		}
	}
	var p page
	if f.Post(t, searchPath, `{"q":"shared"}`, &p); p.EstimatedTotalHits != n {
		t.Errorf("search finds %d documents, want %d", p.EstimatedTotalHits, n)
	}
}

func TestWithFullCopiesASearchIsOneNodeCall(t *testing.T) {
	relays := map[string]*fleet.Relay{}
	f := fleet.Start(t, fleet.Options{Groups: 1, PerGroup: 3, Replicas: 3, Relay: func(n *fleet.Node) string {
		if relays[n.ID] == nil {
			relays[n.ID] = fleet.NewRelay(t, n.URL)
		}
		return relays[n.ID].URL
	}})
	f.Write(t, "POST", docsPath, made(0, 100))
	for _, r := range relays {
		r.Reset()
	}
	for i := range 30 {
		var p page
		if f.Post(t, searchPath, `{"q":"shared"}`, &p); p.EstimatedTotalHits != 100 {
			t.Fatalf("search %d finds %d documents", i, p.EstimatedTotalHits)
		}
	}
	sum := 0
	for _, r := range relays {
		sum += r.Calls("search")
	}
	if sum != 30 {
		t.Errorf("30 searches made %d node calls", sum)
	}
}

// A node that answers everything but missed a write is not asked until it has
// caught up.
func TestAReplicaThatMissedAWriteIsNotRead(t *testing.T) {
	relays := map[string]*fleet.Relay{}
	f := fleet.Start(t, fleet.Options{Groups: 2, PerGroup: 1, Relay: func(n *fleet.Node) string {
		if relays[n.ID] == nil {
			relays[n.ID] = fleet.NewRelay(t, n.URL)
		}
		return relays[n.ID].URL
	}})
	f.Write(t, "POST", docsPath, `[{"id":1,"title":"old"},{"id":2,"title":"old"}]`)
	relays["b0"].Refuse(fleet.IsWrite)
	a := f.Write(t, "POST", docsPath, `[{"id":1,"title":"new"},{"id":2,"title":"new"}]`)
	if !strings.HasPrefix(a.Degraded(), "groups=1; shards=") {
		t.Errorf("X-Miroir-Degraded %q", a.Degraded())
	}
	relays["b0"].Reset()
	for range 20 {
		var p page
		f.Post(t, searchPath, `{"q":"new"}`, &p)
		var doc struct{ Title string }
		f.Get(t, docsPath+"/1", &doc)
		if len(p.Hits) != 2 || doc.Title != "new" {
			t.Fatalf("a reader sees %v and %v", p.Hits, doc)
		}
	}
	if n := relays["b0"].Calls("search"); n != 0 {
		t.Errorf("the replica that is behind was asked %d times", n)
	}
	if n := f.Seen(t, "b0"); n.Behind == 0 {
		t.Errorf("b0 is %+v, want it behind", n)
	}
	relays["b0"].Refuse(nil)
	f.WaitState(t, "b0", "ready")
	relays["a0"].Refuse(func(*http.Request) bool { return true })
	var p page
	f.Post(t, searchPath, `{"q":"new"}`, &p)
	if len(p.Hits) != 2 || relays["b0"].Calls("search") == 0 {
		t.Errorf("the replica that caught up gives %v", p.Hits)
	}
}

func TestAnEmptyStoreBeforeNodesWithDataIsRefused(t *testing.T) {
	f := fleet.Start(t, fleet.Options{Groups: 1})
	f.Write(t, "POST", docsPath, made(0, 10))
	if code := f.Stop(t, 20*time.Second); code != 0 {
		t.Errorf("a stopped proxy ends with %d", code)
	}
	other := f.NewProxy(t, t.TempDir())
	other.Launch(t)
	if code := other.Wait(t, 30*time.Second); code != 1 {
		t.Errorf("the proxy with an empty store ends with %d", code)
	}
	if text := other.Log(); !strings.Contains(text, "data") || !strings.Contains(text, "another") && !strings.Contains(text, "empty") {
		t.Errorf("what it says does not tell the reason: %s", text)
	}
	f.Proxy.Start(t)
	checkAll(t, f, 10)
}

func TestASecondProxyOnOneStoreIsRefused(t *testing.T) {
	f := fleet.Start(t, fleet.Options{Groups: 1, PerGroup: 1})
	other := f.NewProxy(t, f.Dir)
	other.Launch(t)
	if code := other.Wait(t, 30*time.Second); code != 1 || !strings.Contains(other.Log(), "another") {
		t.Errorf("the second proxy ends with %d: %s", code, other.Log())
	}
}
