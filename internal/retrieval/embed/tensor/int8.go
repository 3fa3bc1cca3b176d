package tensor

type int8Kernels struct{}

var plainInt8 = &int8Kernels{}
