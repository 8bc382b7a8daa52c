// Tandem's library. Example:
//   auto model  = tandem::Model::load("mini");
//   auto images = model.embed_images({"cat.jpg", "dog.jpg"});
//   auto best   = tandem::classify(model, images, tandem::labels({"cat", "dog"}));
// Every failure is a tandem::Error. The library never prints, reads the environment or keeps global
// state.
#pragma once

#include "tandem/classify.h"
#include "tandem/error.h"
#include "tandem/matrix.h"
#include "tandem/model.h"
#include "tandem/precision.h"
