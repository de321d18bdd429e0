package http

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/miroir-search/miroir/messages"
)

// nowhere is a ResponseWriter that keeps nothing.
type nowhere struct{ header http.Header }

func (w *nowhere) Header() http.Header       { return w.header }
func (*nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (*nowhere) WriteHeader(int)             {}

// rewound is a body that can be read again and again.
type rewound struct{ *bytes.Reader }

func (rewound) Close() error { return nil }

// The front adds a bounded number of allocations to a search, whatever the size
// of its answer. The figure includes what echo and the headers cost, and not
// net/http.
func TestASearchCostsFewAllocations(t *testing.T) {
	const most = 10
	query := []byte(`{"q":"mirror","limit":20}`)
	answer := &messages.Answer{Status: 200, Body: bytes.Repeat([]byte("x"), 10_000), Nodes: 3}
	door := newFakeDoor()
	door.answer = func(context.Context, any) *messages.Answer { return answer }
	door.reads = make([]any, 0, 10_000)
	s := New(Options{Door: door, Keys: NewStaticKeys("master-master-master", "")})
	body := rewound{bytes.NewReader(query)}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/indexes/films/search", io.NopCloser(body))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(query))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer master-master-master")
	w := &nowhere{header: http.Header{}}
	got := testing.AllocsPerRun(500, func() {
		body.Reset(query)
		clear(w.header)
		s.ServeHTTP(w, r)
	})
	if door.called() == 0 {
		t.Fatal("the door was not called")
	}
	if got > most {
		t.Errorf("%v allocations for one search, at most %d are allowed", got, most)
	}
	t.Logf("%v allocations", got)
}
