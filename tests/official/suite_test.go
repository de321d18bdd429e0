package official

import (
	"os"
	"slices"
	"testing"

	"github.com/miroir-search/miroir/tests/fleet"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Cleanup()
	fleet.Cleanup()
	os.Exit(code)
}

// Nobody of v1.50 passes these: the suite was written for other versions, for the
// Enterprise Edition and for a machine with access to services. docs/embedded.md
// has the list too.
var impossible = []Exception{
	{"TestIndex_UpdateFaceting", "sorts by sampledCount, which v1.50 does not know"},
	{"TestIndex_ResetFacetingAfterSampledCount", "sorts by sampledCount, which v1.50 does not know"},
	{"TestIndex_SearchWithInlineRule", "sends inlineRule, which v1.50 does not know"},
	{"TestIndex_UpdateSettingsEmbedders", "expects answers of the servers of OpenAI and Hugging Face"},
	{"Test_UpdateNetwork", "sets a leader, which demands the Enterprise Edition"},
	{"Test_ListSearchRule", "speaks a newer form of the dynamic search rules"},
	{"Test_UpdateSearchRule", "speaks a newer form of the dynamic search rules"},
	{"Test_GetSearchRule", "speaks a newer form of the dynamic search rules"},
	{"Test_DeleteSearchRule", "speaks a newer form of the dynamic search rules"},
}

// Miroir does not pass these; docs/compatibility.md has the list too.
var ofMiroir = []Exception{
	{"TestExport", "Miroir does not export"},
	{"TestGetTaskDocuments", "Miroir does not give back the documents of a task"},
	{"TestIndex_GetStats", "expects one database of one page; sizes are sums over the nodes of a group"},
	{"TestIndex_UpdateEmbedders", "Miroir does not offer multimodal embedders"},
	{"Test_GetNetwork", "Miroir is the network of its nodes"},
}

// ofBoth is done neither by Miroir nor by an embedded node.
var ofBoth = []Exception{
	{"TestIndex_UpdateForeignKeys", "joins documents by foreign keys"},
	{"TestIndex_ResetForeignKeys", "joins documents by foreign keys"},
	{"TestIndex_UpdateSettingsForeignKeys", "joins documents by foreign keys"},
	{"TestRenderTemplate", "renders templates"},
}

// ofEmbedded needs nodes that run scripts.
var ofEmbedded = []Exception{
	{"TestIndex_UpdateDocumentsByFunction", "an embedded node does not run scripts"},
	{"TestIndex_DocumentOperationsWithCustomMetadata", "an embedded node does not run scripts"},
}

// ofReal depends on how the server was built and on how fast it is.
var ofReal = []Exception{
	{"TestIndex_Search", "sometimes: needs a server that was built with the Japanese dictionary"},
	{"TestClient_MultiSearch", "sometimes: expects every answer within 0 ms"},
}

// slow skips what is too slow for every run: the suite waits a lot.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("MIROIR_LONG") == "" {
		t.Skip("takes more than a minute: set MIROIR_LONG=1, as make test-long does")
	}
}

// The official client's own tests pass against one embedded node.
func TestTheOfficialSuiteOnAnEmbeddedNode(t *testing.T) {
	slow(t)
	node := fleet.StartNodeWithKey(t, "node", "", MasterKey)
	Run(t, node.URL).Check(t, slices.Concat(impossible, ofBoth, ofEmbedded))
}

func TestTheOfficialSuiteOnARealServer(t *testing.T) {
	slow(t)
	node := fleet.StartNodeWithKey(t, "node", fleet.RealBinary(t), MasterKey)
	Run(t, node.URL).Check(t, slices.Concat(impossible, ofReal))
}

// The official client's own tests pass against Miroir over two groups of two nodes.
func TestTheOfficialSuiteOnMiroir(t *testing.T) {
	slow(t)
	f := fleet.Start(t, fleet.Options{MasterKey: MasterKey})
	Run(t, f.URL).Check(t, slices.Concat(impossible, ofBoth, ofMiroir, ofEmbedded, ofReal))
}

func TestTheOfficialSuiteOnMiroirOverRealNodes(t *testing.T) {
	slow(t)
	f := fleet.Start(t, fleet.Options{MasterKey: MasterKey, Real: fleet.RealBinary(t)})
	Run(t, f.URL).Check(t, slices.Concat(impossible, ofBoth, ofMiroir, ofReal))
}
