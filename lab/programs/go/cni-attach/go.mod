module plumbline.lab/cni-attach

go 1.26.0

tool plumbline.lab/cni-attach
