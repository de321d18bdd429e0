package actors

import (
	"bytes"
	"encoding/json"

	"github.com/miroir-search/miroir/topology"
)

// clientSafe turns a node's text into one for clients: their own index uids, and
// nothing of ours.
func (c *Cluster) clientSafe(text []byte) []byte { return scrub(c.registry.clientText(text)) }

// scrub takes the shard field out of the lists of attributes in a node's error
// text, where it stands because we made it filterable.
func scrub(text []byte) []byte {
	if !bytes.Contains(text, []byte(topology.ReservedPrefix)) {
		return text
	}
	const f = topology.ShardField
	for _, r := range [][2]string{
		{" Available filterable attribute patterns are: `" + f + "`.", " This index does not have configured filterable attributes."},
		{" Available filterable attributes patterns are: `" + f + "`.", " This index does not have configured filterable attributes."},
		{" Available facet-searchable attributes patterns are: `" + f + "`.", " This index does not have configured facet-searchable attributes."},
		{", `" + f + "`", ""}, {"`" + f + "`, ", ""}, {", " + f, ""}, {f + ", ", ""},
	} {
		text = bytes.ReplaceAll(text, []byte(r[0]), []byte(r[1]))
	}
	return text
}

// errorCode reads the code of a Meilisearch error body.
func errorCode(body []byte) string {
	var e struct{ Code string }
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	return e.Code
}
