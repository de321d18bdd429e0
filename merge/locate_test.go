package merge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Whatever the page, the windows lead to it, and what is picked is what one list of all documents has there.
func TestLocate(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		legs := 1 + r.IntN(4)
		spread := r.IntN(3) // evenly, or nearly all in one leg
		lists := make([][]int, legs)
		var all []int
		for id := range r.IntN(3000) {
			leg := r.IntN(legs)
			if spread == 2 && r.IntN(10) > 0 {
				leg = 0
			}
			lists[leg] = append(lists[leg], id)
			all = append(all, id)
		}
		spec := &DocumentsSpec{Offset: r.IntN(len(all) + 20), Limit: r.IntN(30)}
		price := func(id int) int { return id }
		if round%2 == 0 {
			spec.Sort = []SortField{{Field: "price", Desc: true}}
			price = func(id int) int { return id * 7919 % 97 }
			byPrice := func(a, b int) int {
				if d := price(b) - price(a); d != 0 {
					return d
				}
				return a - b
			}
			slices.SortFunc(all, byPrice)
			for _, l := range lists {
				slices.SortFunc(l, byPrice)
			}
		}
		page := func(leg, from, limit int, whole bool) []byte {
			var docs []string
			for _, id := range lists[leg][min(from, len(lists[leg])):min(from+limit, len(lists[leg]))] {
				if whole {
					docs = append(docs, fmt.Sprintf(`{"id":%d,"_miroir_shard":"!"}`, id))
				} else {
					docs = append(docs, fmt.Sprintf(`{"_miroir_seq":"%06d","price":%d}`, id, price(id)))
				}
			}
			return fmt.Appendf(nil, `{"results":[%s],"offset":%d,"limit":%d,"total":%d}`, strings.Join(docs, ","), from, limit, len(lists[leg]))
		}
		windows := make([]Window, legs)
		for i := range windows {
			windows[i].From, windows[i].Limit = FirstWindow(spec, 1/float64(legs))
		}
		var found []Place
		total, rounds := 0, 0
		for found == nil {
			for i := range windows {
				windows[i].Body = page(i, windows[i].From, windows[i].Limit, false)
			}
			var err error
			var next []Window
			if found, next, total, err = Locate(spec, windows); err != nil {
				t.Fatal(err)
			}
			if rounds++; rounds > 8 || rounds > 1 && spread < 2 && legs == 1 {
				t.Fatalf("%d documents in %d lists, %+v: %d rounds", len(all), legs, spec, rounds)
			}
			windows = next
		}
		picked := make([]Window, legs)
		for i := range picked {
			picked[i] = Window{Body: page(i, 0, len(lists[i]), true)}
		}
		got, err := Pick(nil, spec, found, total, picked)
		var want []string
		for _, id := range all[min(spec.Offset, len(all)):min(spec.Offset+spec.Limit, len(all))] {
			want = append(want, fmt.Sprintf(`{"id":%d}`, id))
		}
		text := fmt.Sprintf(`{"results":[%s],"offset":%d,"limit":%d,"total":%d}`, strings.Join(want, ","), spec.Offset, spec.Limit, len(all))
		if err != nil || string(got) != text {
			t.Fatalf("%d documents in %d lists, %+v: %v\n%s\nwant\n%s", len(all), legs, spec, err, got, text)
		}
	}
}
