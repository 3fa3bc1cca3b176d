package provider

import "context"

// Manager is a Provider whose upstream may keep models that can be managed.
type Manager interface {
	// Manage asks for one operation. What the upstream's server cannot do is
	// errdefs.Invalid. The answer is as the upstream gave it.
	Manage(ctx context.Context, req *ManageRequest) (*Reply, error)
}

// Operation is what is done with the models that an upstream keeps.
type Operation uint8

// The operations.
const (
	ModelCatalog   Operation = iota // what there is, loaded or not
	DownloadModel                   // fetch a model
	DownloadStatus                  // how far the fetching is
	LoadModel                       // into memory
	UnloadModel
	DeleteModel
	ModelEvents // a stream that tells what becomes of models
)

// ManageRequest is one operation.
type ManageRequest struct {
	Operation Operation
	Model     string // as the upstream knows it, where the operation is on one
	Body      []byte // of Download, Load and Unload: a JSON object that names Model
	Job       string // of DownloadStatus: letters, digits and -_.
	Caller    Caller
}
