package tests

import (
	"reflect"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/fleet"
)

type indexCounts struct {
	NumberOfDocuments, NumberOfEmbeddings, NumberOfEmbeddedDocuments int
	IsIndexing                                                       bool
	FieldDistribution                                                map[string]int
	AvgDocumentSize, RawDocumentDBSize                               any
	InternalDatabaseSizes                                            map[string]any
}

// Statistics count as one node does; sizes are there, but are sizes of several
// databases.
func TestStatisticsAreThoseOfOneNode(t *testing.T) {
	overTopologies(t, wareSettings, []string{wares(0, 120)}, func(t *testing.T, w twins) {
		counts := func(s fleet.API, params string) (indexCounts, indexCounts) {
			var one indexCounts
			var all struct {
				DatabaseSize, UsedDatabaseSize any
				LastUpdate                     string
				Indexes                        map[string]indexCounts
			}
			s.Get(t, "/indexes/wares/stats"+params, &one)
			s.Get(t, "/stats"+params, &all)
			if all.DatabaseSize == nil || all.UsedDatabaseSize == nil || all.LastUpdate == "" || len(all.Indexes) != 1 {
				t.Errorf("%s: %+v", params, all)
			}
			return one, all.Indexes["wares"]
		}
		for _, params := range []string{"", "?sizeFormat=human", "?sizeFormat=raw&showInternalDatabaseSizes=true"} {
			got, gotAll := counts(w.many, params)
			want, wantAll := counts(w.one, params)
			for _, c := range []*indexCounts{&got, &gotAll, &want, &wantAll} {
				if _, text := c.AvgDocumentSize.(string); text != strings.Contains(params, "human") {
					t.Errorf("%s: the average size is %v", params, c.AvgDocumentSize)
				}
				if (c.InternalDatabaseSizes != nil) != strings.Contains(params, "Internal") && c != &want && c != &wantAll {
					t.Logf("%s: inside: %v", params, c.InternalDatabaseSizes) // embedded nodes have none
				}
				c.AvgDocumentSize, c.RawDocumentDBSize, c.InternalDatabaseSizes = nil, nil, nil
			}
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotAll, wantAll) {
				t.Errorf("%s:\n%+v\n%+v\nwant\n%+v\n%+v", params, got, gotAll, want, wantAll)
			}
		}
		w.same(t, gets("/stats?lol=1", "/stats?sizeFormat=big", "/stats?showInternalDatabaseSizes=x", "/indexes/nope/stats", "/indexes/wares/stats?sizeFormat=")...)
	})
}
