package actors

import (
	"strings"
	"testing"

	"github.com/miroir-search/miroir/messages"
)

func (f *fleet) federated(body string) *messages.Answer {
	return f.read(&messages.FederatedSearch{Body: []byte(body)})
}

func TestAFederatedSearchShowsItsPerformance(t *testing.T) {
	for _, copies := range []int{1, 2} {
		f := newFleet(t, 1, 2, copies)
		f.must(adding("films", `[{"id":1},{"id":2},{"id":3}]`))
		f.must(adding("books", `[{"id":1},{"id":2},{"id":3}]`))
		for _, queries := range []string{`{"indexUid":"films"}`, `{"indexUid":"films"},{"indexUid":"books"}`} {
			_, a := f.page(f.federated(`{"federation":{"showPerformanceDetails":true},"queries":[` + queries + `]}`))
			if strings.Count(string(a.Body), `"performanceDetails":{"`) != 1 {
				t.Errorf("asked for: %s", a.Body)
			}
			_, a = f.page(f.federated(`{"federation":{},"queries":[` + queries + `]}`))
			if strings.Contains(string(a.Body), "performanceDetails") {
				t.Errorf("not asked for: %s", a.Body)
			}
		}
	}
}

func TestAFederatedSearchIsNotPersonalized(t *testing.T) {
	c, _ := startFixed(t, 1, 1)
	_, _, bad := c.newFederatedJob([]byte(`{"federation":{"personalize":{"userContext":"x"}},"queries":[{"indexUid":"films"}]}`), false)
	if bad == nil || bad.Code != "miroir_not_supported" || !strings.Contains(bad.Message, "`federation.personalize`") {
		t.Errorf("%v", bad)
	}
	if _, _, bad = c.newFederatedJob([]byte(`{"federation":{"personalize":null},"queries":[{"indexUid":"films"}]}`), false); bad != nil {
		t.Errorf("null: %v", bad)
	}
}
