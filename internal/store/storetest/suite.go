package storetest

import (
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/store"
)

// Fixture is a database for one case: empty, and with its events recorded.
type Fixture struct {
	DB *store.DB

	mu     sync.Mutex
	events []event.Event
}

// NewFixture records what bus, which db publishes to, tells.
func NewFixture(t testing.TB, db *store.DB, bus *event.Bus) *Fixture {
	f := &Fixture{DB: db}
	t.Cleanup(bus.Subscribe(func(e event.Event) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, e)
	}))
	return f
}

// told checks the events since the last call, in any order.
func (f *Fixture) told(t *testing.T, want ...event.Event) {
	t.Helper()
	f.mu.Lock()
	got := f.events
	f.events = nil
	f.mu.Unlock()
	order := func(a, b event.Event) int {
		return slices.Compare([]string{string(a.Topic), a.ID}, []string{string(b.Topic), b.ID})
	}
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if !slices.Equal(got, want) {
		t.Errorf("events: got %v, want %v", got, want)
	}
}

// Run runs every case, each on a database of its own.
func Run(t *testing.T, open func(t *testing.T) *Fixture) {
	cases := []struct {
		name string
		run  func(t *testing.T, f *Fixture)
	}{
		{"Users", testUsers},
		{"FirstUser", testFirstUser},
		{"UserPages", testUserPages},
		{"UserSearch", testUserSearch},
		{"UpdateUser", testUpdateUser},
		{"LastAdmin", testLastAdmin},
		{"LastAdminRace", testLastAdminRace},
		{"DeleteUser", testDeleteUser},
		{"TouchUsers", testTouchUsers},
		{"Groups", testGroups},
		{"Members", testMembers},
		{"Credentials", testCredentials},
		{"RevokedTokens", testRevokedTokens},
		{"Keys", testKeys},
		{"ReplaceKey", testReplaceKey},
		{"UpdateKey", testUpdateKey},
		{"TouchKeys", testTouchKeys},
		{"Grants", testGrants},
		{"ManyGrants", testManyGrants},
		{"Models", testModels},
		{"Chats", testChats},
		{"ChatPages", testChatPages},
		{"ChatRace", testChatRace},
		{"ChatShares", testChatShares},
		{"Folders", testFolders},
		{"Profiles", testProfiles},
		{"Sets", testSets},
		{"SetsOfNothing", testSetsOfNothing},
		{"Vectors", testVectors},
		{"SeqOrder", testSeqOrder},
		{"ScopeOfKnowledge", testScopeOfKnowledge},
		{"DeleteInWork", testDeleteInWork},
		{"Jobs", testJobs},
		{"FairJobs", testFairJobs},
		{"ClaimRace", testClaimRace},
		{"Ingest", testIngest},
		{"Knowledge", testKnowledge},
		{"DeleteKnowledge", testDeleteKnowledge},
		{"LinkFile", testLinkFile},
		{"LinkRace", testLinkRace},
		{"Apply", testApply},
		{"KnowledgeRights", testKnowledgeRights},
		{"Entries", testEntries},
		{"Directories", testDirectories},
		{"ManyKnowledge", testManyKnowledge},
		{"Files", testFiles},
		{"Requeue", testRequeue},
		{"FilePages", testFilePages},
		{"DeleteFile", testDeleteFile},
		{"DeleteOwner", testDeleteOwner},
		{"DeleteAtWork", testDeleteAtWork},
		{"Settings", testSettings},
		{"Texts", testTexts},
		{"Tx", testTx},
		{"Cancelled", testCancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails checks the kind of err.
func fails(t *testing.T, err error, kind errdefs.Kind) {
	t.Helper()
	var e *errdefs.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Detail == "" {
		t.Errorf("got error %v, want one of kind %d with a sentence", err, kind)
	}
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
