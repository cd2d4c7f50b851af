module ksit.io/ksit/test/bed/tools/pods

go 1.26.0
