package actors

import (
	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// scatter is one question to the nodes that together hold some shards of an
// index.
type scatter interface {
	// index is the index that is read; its table says where shards are.
	index() *indexView
	// need are the shards that the answers must cover.
	need() topology.ShardSet
	// request is the call for one leg; alone says that no other leg is asked.
	request(leg topology.Leg, alone bool) (*nodeclient.Request, error)
	// original is the client's own request, as one node would get it, for the
	// words of a refusal, and the node to send it to: refuser is the one that
	// has refused a leg. It is nil when the leg's own answer has the words.
	original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request)
}

// readJob is one round of a read: what is asked at once, and what becomes of
// the answers. Most reads have one round. A job belongs to its coordinator and
// is pure but for what the cluster's tables say.
type readJob interface {
	// scatters are asked together; there is at least one.
	scatters() []scatter
	// join makes the client's body, or the next round; in has what each of the
	// scatters brought in. A scatter whose shards are in nobody's hands has no
	// answers.
	join(in []gathered) (outcome, error)
}

// gathered is what one scatter brought in.
type gathered struct {
	bodies  [][]byte
	nodes   []topology.NodeIndex // who gave them
	legs    []topology.Leg       // and for what
	alone   bool                 // one leg was asked, and it answered
	version *nodeVersion         // of a node that answered; nil when none did
}

// outcome is what became of a round: the client's body, a refusal that nodes did
// not see a reason for, or another round.
type outcome struct {
	body    []byte
	refused *api.Error
	next    readJob
}

// answered is the outcome of a last round.
func answered(body []byte, err error) (outcome, error) { return outcome{body: body}, err }

// losing is a job with words of its own for an index that is gone.
type losing interface {
	lost(iv *indexView) *api.Error
}

// replayJob asks one node what the client asked: a refusal is expected, and
// its words are the answer. Should the node not refuse, shown turns its answer
// into the client's.
type replayJob struct {
	iv    *indexView
	shard topology.ShardSet // the node must hold
	req   *nodeclient.Request
	shown func(body []byte) ([]byte, error)
}

func (j *replayJob) scatters() []scatter     { return []scatter{j} }
func (j *replayJob) index() *indexView       { return j.iv }
func (j *replayJob) need() topology.ShardSet { return j.shard }

func (j *replayJob) request(topology.Leg, bool) (*nodeclient.Request, error) { return j.req, nil }

func (j *replayJob) original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return refuser, nil
}

func (j *replayJob) join(in []gathered) (outcome, error) {
	return answered(j.shown(in[0].bodies[0]))
}
