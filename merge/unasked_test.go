package merge

import (
	"strings"
	"testing"
)

// A member that only the merger needed is gone where the client would not see it,
// and stays where a node shows it unasked.
func TestUnaskedMembersAreCutOnlyWhereTheClientDidNotAsk(t *testing.T) {
	leg := `{"hits":[{"id":1,"brand":"x","_formatted":{"id":"1","brand":"<em>x</em>"},"_matchesPosition":{"brand":[{"start":0,"length":1}]},"_miroir_seq":"!"}],` +
		`"query":"x","processingTimeMs":1,"limit":20,"offset":0,"estimatedTotalHits":1}`
	for _, tc := range []struct {
		unasked Unasked
		want    string
	}{
		{Unasked{}, `{"id":1,"brand":"x","_formatted":{"id":"1","brand":"<em>x</em>"},"_matchesPosition":{"brand":[{"start":0,"length":1}]}}`},
		{Unasked{Name: "brand"}, `{"id":1,"_formatted":{"id":"1"},"_matchesPosition":{"brand":[{"start":0,"length":1}]}}`},
		{Unasked{Name: "brand", Formatted: true}, `{"id":1,"_formatted":{"id":"1","brand":"<em>x</em>"},"_matchesPosition":{"brand":[{"start":0,"length":1}]}}`},
	} {
		spec := &SearchSpec{Limit: 20, Distinct: "brand", Unasked: tc.unasked}
		got, err := Search(nil, spec, [][]byte{[]byte(leg)})
		if err != nil || !strings.Contains(string(got), `"hits":[`+tc.want+`]`) {
			t.Errorf("%+v: %s (%v)", tc.unasked, got, err)
		}
	}
}
